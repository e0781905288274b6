"""A Python with this folder on its path reaches this machine alone, and notes in a file what it was asked to reach.

Python imports `sitecustomize` when it starts, so each process and kernel that a test starts is held too. The hook sees
what modules written in C ask as well, and cannot be taken out again.
"""

import os
import sys

HERE = {"", "localhost", "0.0.0.0", "::", "::1", os.uname().nodename}
CONNECTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}  # the second argument is the address
ASKS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}  # the first is the name


def only_here(event: str, given: tuple) -> None:
    """Refuse to look up or reach another machine; addresses of this one are its loopback and files."""
    if event not in CONNECTS and event not in ASKS:
        return
    host = given[1][0] if event in CONNECTS and isinstance(given[1], tuple) else given[0] if event in ASKS else ""
    host = host.decode() if isinstance(host, bytes) else str(host or "")
    if host in HERE or host.startswith("127."):
        return
    with open(os.environ["REACHED"], "a") as file:
        file.write(f"{event} {host}\n")
    raise ConnectionRefusedError(f"{host} is another machine: tests reach none")


if "REACHED" in os.environ:
    sys.addaudithook(only_here)

"""Damaged and hostile files for every reader: what comes of them, counted.

    python -m tests.fuzz --count 10000 [--reader NAME] [--seed S]

A file that is not what was written must come back as the same values, or be refused in one line (ValueError or OSError)
or be read with a warning. Where a checksum covers the values, other ones are a failure; elsewhere they are counted.
Failures in any case: another exception or a message of several lines, a dead process, more than 10 seconds, and
more than a GiB of memory. Each input follows from the seed, the reader and its number.
"""

import argparse
import faulthandler
import multiprocessing
import os
import re
import resource
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from random import Random

from book.press.evidence import keep
from lib.store import dependencies
from tests.fuzz_readers import READERS

SECONDS, MEMORY = 10, 2**30  # of one input
OUTCOMES = ("same", "refused", "warned", "other", "traceback", "crash", "hang", "memory")
BAD = {"traceback", "crash", "hang", "memory"}
EDGES = (0, 1, 0x7F, 0x80, 0xFF)
TOKENS = "NaN 1e999 -1 0 1e-400 99999999999999999999999 [] {} null ~ *a &a <<: ../.. !!python/object:os.system".split()
TOKENS += ["9" * 5000, "[" * 5000, "{a: " * 3000, "\n", "\x00", "\u2028", "- ", ": ", '"', "'"]


def flip_bits(draw, data, other):
    for _ in range(draw.choice((1, 1, 3, 30))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return data


def set_bytes(draw, data, other):
    """One to eight bytes as an end of the range, or any: sizes, counts and offsets."""
    at, count = draw.randrange(len(data)), draw.choice((1, 2, 4, 8))
    data[at : at + count] = bytes([draw.choice(EDGES)] * count) if draw.random() < 0.5 else draw.randbytes(count)
    return data


def cut(draw, data, other):
    return data[: draw.randrange(len(data))]


def lengthen(draw, data, other):
    return data + draw.choice((bytes(draw.randrange(1, 600)), draw.randbytes(draw.randrange(1, 600)), data, other))


def block(draw, data, other):
    """A block zeroed, dropped, doubled, or in the place of another."""
    size = draw.choice((4, 16, 64, 512))
    at, to = draw.randrange(len(data)), draw.randrange(len(data))
    piece = data[at : at + size]
    kind = draw.randrange(4)
    if kind == 3:
        data[to : to + len(piece)] = piece
        return data
    return data[:at] + [bytes(len(piece)), b"", piece + piece][kind] + data[at + size :]


def splice(draw, data, other):
    """The beginning of one file and the end of another."""
    at = draw.randrange(len(data))
    return data[:at] + other[at if draw.random() < 0.7 else draw.randrange(len(other)) :]


def swap_token(draw, data, other):
    """A word, number or sign of a text dropped, replaced, doubled or in the place of another."""
    words = re.findall(r"\w+|\s+|[^\w\s]", data.decode("utf-8", "replace"))
    for _ in range(draw.choice((1, 1, 2))):
        at = draw.randrange(len(words))
        words[at] = draw.choice(("", draw.choice(words), words[at] * 2, draw.choice(TOKENS), draw.choice(TOKENS)))
    return "".join(words).encode("utf-8", "replace")


def double_line(draw, data, other):
    """A line twice, as a key that is given twice, or in another place."""
    lines = bytes(data).splitlines(keepends=True)
    lines.insert(draw.randrange(len(lines)), draw.choice(lines))
    return b"".join(lines)


BINARY = (flip_bits, flip_bits, set_bytes, set_bytes, cut, lengthen, block, splice)
TEXT = (swap_token,) * 6 + (double_line,) * 2


def damaged(reader, name, seed, number, sound, other):
    """The bytes of one input, and how it was damaged."""
    draw = Random(f"{seed} {name} {number}")
    kind = draw.choice(BINARY + (TEXT if reader.text else ()))
    inside = bytes(kind(draw, bytearray(reader.unwrap(sound)), bytearray(reader.unwrap(other))))
    return reader.wrap(inside, sound), kind.__name__


def attempt(reader, base, victim, content, number):
    """What comes of reading the sound files with one replaced: an outcome, what was said, a digest of the values."""
    folder = base / f"{os.getpid()} {number}"  # of its own, as readers may keep files open
    shutil.copytree(base / "sound", folder)
    (folder / victim).write_bytes(content)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak of memory starts anew
    before, said, digest = status("VmRSS"), [], ""
    sys.unraisablehook = lambda about: said.append(f"unraisable {about.exc_value!r}")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            digest = dependencies(value=reader.read(folder))["value"]
        found = "warned" if any(issubclass(one.category, UserWarning) for one in told) else "other"
    except BaseException as error:
        found = "refused" if type(error) in (ValueError, OSError) and str(error).isprintable() else "traceback"
        said.append(repr(error))
    shutil.rmtree(folder)
    found = "traceback" if any(one.startswith("unraisable") for one in said) else found
    found = "memory" if status("VmHWM") - before > MEMORY else found
    return found, " ".join(said)[:300], digest


def status(name):
    """A line of this process's memory, in bytes."""
    return 1024 * int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def sound_file(reader, base):
    """Where the file that is to be damaged lies in its folder, and its content."""
    path = sorted(base.glob(reader.victim))[0]
    return path.relative_to(base), path.read_bytes()


def work(channel, name, seed, base):
    """Read inputs by their numbers until there are no more; dies with a reader that crashes."""
    faulthandler.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + 2 * MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reader = READERS[name]
    (victim, data), (_, other) = (sound_file(reader, base / kind) for kind in ("sound", "other"))
    known, spliced = (attempt(reader, base, victim, *whole) for whole in ((data, "sound"), (other, "other")))
    channel.send(known)
    for number in iter(channel.recv, None):
        content, kind = damaged(reader, name, seed, number, data, other)
        found, said, digest = attempt(reader, base, victim, content, number)
        may_be = {known[2], spliced[2] if kind in ("splice", "lengthen") else ""}  # the other may be whole in it
        channel.send(("same" if digest in may_be and found in ("other", "warned") else found, f"{kind}: {said}"))


def fuzz(name, count, seed=0):
    """Outcomes of `count` inputs of one reader, and what was said of those that fail."""
    context, counts, failures = multiprocessing.get_context("fork"), Counter(), []
    with tempfile.TemporaryDirectory() as base:
        for kind, of in (("sound", 0), ("other", 1)):
            (Path(base) / kind).mkdir()
            READERS[name].write(Path(base) / kind, of)
        process = None
        for number in range(count):
            if process is None:
                channel, end = context.Pipe()
                process = context.Process(target=work, args=(end, name, seed, Path(base)))
                process.start()
                end.close()
                known = channel.recv()
                assert known[2], f"{name} cannot read what is sound: {known[1]}"
            channel.send(number)
            try:
                found, said = channel.recv() if channel.poll(SECONDS) else ("hang", "")
            except EOFError:
                process.join()
                found, said = "crash", f"exit {process.exitcode}"
            if found in ("hang", "crash"):
                process.kill()
                process = None
            counts[found] += 1
            if found in BAD or found == "other" and READERS[name].sealed:
                failures.append(f"{name} {number} {found}: {said}")
        if process:
            channel.send(None)
            process.join()
    return counts, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="inputs in all")
    parser.add_argument("--reader", choices=READERS, action="append", help="one reader, all if none is named")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="keep the counts with the book")
    given = parser.parse_args()
    names = given.reader or list(READERS)
    told = []
    print(f"{'':18}" + "".join(f"{name:>10}" for name in OUTCOMES))
    for name in names:
        counts, failures = fuzz(name, -(-given.count // len(names)), given.seed)
        print(
            f"{name:18}" + "".join(f"{counts[one]:10}" for one in OUTCOMES) + "  sealed" * READERS[name].sealed,
            flush=True,
        )
        told += failures
        if given.keep:
            row = {"reader": name, "checksum": READERS[name].sealed, "damaged files": counts.total()}
            keep("damaged_files", [row | {one: counts[one] for one in OUTCOMES}], ["reader"])
    print("\n".join(told))
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())

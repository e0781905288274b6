"""What is kept on disk: the project's root, files written whole, locks, and digests of things and of code."""

import errno
import fcntl
import os
import shutil
import sys
import time
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from dis import get_instructions
from functools import partial
from glob import escape
from hashlib import sha256
from pathlib import Path

import numpy as np

from lib.closure import HOME, INSTALLED, closure_of, is_own, versions

ROOT = Path.cwd() if INSTALLED else HOME  # of the project; a test may put another in its place
CODE = HOME  # where the code lies, whatever the project's root is
PLAIN = (type(None), bool, int, float, complex, str, bytes, Path, slice, range)


FULL = "the disk is full: free some space and give the same command again"
LARGE = "no file may be so large here: raise the limit, see `ulimit -f`, and give the same command again"
CLOSED = "this may not be written: work in a copy of the project that you may write to"
ABANDONED = 24 * 3600  # seconds after which a file that nobody went on writing was left by a killed run
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
DISK = {errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EROFS: CLOSED, errno.EACCES: CLOSED, errno.EPERM: CLOSED}
DISK[errno.EFBIG] = LARGE


def disk_error(error: OSError) -> str:
    """What the system refused, in one line with the file, the cause and the mend."""
    where = f"{error.filename}: " if error.filename else ""
    return where + DISK.get(error.errno or 0, error.strerror or str(error))


@contextmanager
def named(path: Path) -> Iterator[None]:
    """What the disk refuses in this block is told of `path`, as `disk_error` does: many writers name no file."""
    try:
        yield
    except OSError as error:
        raise (OSError(error.errno, DISK[error.errno], str(path)) if error.errno in DISK else error) from None


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name at the end of the block, on disk and complete.

    A killed run leaves the old file or none, never half a one. The temporary name is of this process alone: two that
    write the same file on a shared disk do not write into each other's. What killed runs left of the
    same file goes if it is a day old. Raises OSError if the disk is full, which some writers call by other names.
    """
    part = path.with_name(f".part.{os.uname().nodename}.{os.getpid()}.{path.name}")
    try:
        with named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path)
            yield part
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
    except (OSError, RuntimeError) as error:
        full = path.parent.exists() and shutil.disk_usage(path.parent).free < 2**16
        part.unlink(missing_ok=True)
        raise (OSError(errno.ENOSPC, FULL, str(path)) if full else error) from None


def _sweep(path):
    """Remove temporary files of `path` that were left a day ago; clocks of a shared disk differ by less."""
    for left in path.parent.glob(f".part.*.{escape(path.name)}"):
        with suppress(OSError):  # another run may have removed it
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()


def write_whole(path: Path, text: str) -> None:
    """Write `text` to a file, whole or not at all, see `whole`."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock file `path`, made if need be; raises BlockingIOError at once if another holds it and not `wait`.

    Linux passes the lock on to the server of an NFS, so it holds between machines. A disk that knows no locks is said
    on stderr: what is written there is still whole, see `whole`, but may be computed twice.
    """
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = open(path, "w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            print(f"{path.parent} is on a disk without locks: jobs may do the same work twice", file=sys.stderr)
        yield


def dependencies(files: Iterable[Path] = (), **things) -> dict[str, str]:
    """What a result depends on, name by name, so that two can be compared and the difference told.

    A digest of each of `things` under its own name, and of each file of this project that `files` and the code of these
    things import, directly or not (`lib.closure`); the version of each package that this code imports. Things may be
    values, containers, tensors, arrays, modules, code. A function counts with the values it holds and, if it is of a
    notebook, with its instructions and the globals it reads. What has a method `identity()` counts as what that gives.
    Raises ValueError for what cannot be told apart.
    """
    parts, code = {}, {*files}
    for name, thing in things.items():
        sha = sha256()
        _feed(sha, thing, code, [])
        parts[name] = sha.hexdigest()[:16]
    found, packages = closure_of(code, CODE)
    parts |= {str(_within(path)): sha256(path.read_bytes()).hexdigest()[:16] for path in sorted(found)}
    return parts | versions(packages)


def _within(path):
    return path.relative_to(CODE if CODE in path.parents else ROOT)


def key(parts: dict[str, str]) -> str:
    """16 hexadecimal digits that change with any part of `dependencies`."""
    return sha256(repr(sorted(parts.items())).encode()).hexdigest()[:16]


def differing(parts: dict[str, str], others: dict[str, str]) -> list[str]:
    """Names of what two `dependencies` do not have in common."""
    return [name for name in {**parts, **others} if parts.get(name) != others.get(name)]


def _feed(sha, thing, files, above):
    """Add one thing to the hash, and to `files` the project's files that its code is in."""
    if any(thing is other for other in above):  # a function that calls itself
        return sha.update(b"again")
    sha.update(f"{type(thing).__qualname__}(".encode())
    for part in _parts(thing, files):
        if isinstance(part, bytes | memoryview):
            sha.update(part)
        else:
            _feed(sha, part, files, [*above, thing])
    sha.update(b")")


def _parts(thing, files):
    """What tells a thing from another of its type: bytes, or other things."""
    if _plain(thing):
        return [repr(thing).encode()]
    if hasattr(thing, "identity") and not isinstance(thing, type):
        return [thing.identity()]
    if (torch := _torch()) and isinstance(thing, torch.Tensor):
        return [str((thing.dtype, thing.shape)).encode(), _bytes(thing)]
    if isinstance(thing, np.ndarray | np.generic):
        return [str((thing.dtype, thing.shape)).encode(), np.ascontiguousarray(thing).data.cast("B")]
    if isinstance(thing, dict):
        return [part for key in sorted(thing, key=repr) for part in (key, thing[key])]
    if isinstance(thing, set | frozenset):
        return sorted(thing, key=repr)
    if isinstance(thing, tuple | list):
        return list(thing)
    if isinstance(thing, partial):
        return [thing.func, thing.args, thing.keywords]
    if torch and isinstance(thing, torch.Generator):
        return [thing.get_state()]
    if isinstance(thing, types.ModuleType | type | types.FunctionType | types.MethodType | types.BuiltinFunctionType):
        return _code(thing, files)
    if is_dataclass(thing):
        return [type(thing), {field.name: getattr(thing, field.name) for field in fields(thing)}]
    if torch and isinstance(thing, torch.nn.Module):
        inside = thing.named_modules()  # a part may hold an option that no weight shows, as a block its number of heads
        options = {name: {key: x for key, x in vars(part).items() if _option(x)} for name, part in inside}
        return [[type(part) for part in thing.modules()], options, dict(thing.state_dict())]
    if hasattr(thing, "__dict__"):
        return [type(thing), vars(thing)]
    raise ValueError(f"a {type(thing).__name__} cannot be told from another one: pass the values that it stands for")


def _torch():
    """PyTorch, if anything has loaded it: who keeps files alone need not wait for it, and has none of its things."""
    return sys.modules.get("torch")


def _plain(x):
    torch = _torch()
    return isinstance(x, PLAIN) or bool(torch) and isinstance(x, torch.dtype | torch.device | torch.Size)


def _option(x):
    return _plain(x) or is_dataclass(x)


def _bytes(x):
    return x.detach().cpu().contiguous().flatten().view(sys.modules["torch"].uint8).numpy().data


def _code(thing, files):
    """Parts of a module, class, method or function; code of this project is taken by its file."""
    if isinstance(thing, types.MethodType):
        return [thing.__func__, thing.__self__]
    thing = getattr(thing, "__wrapped__", thing)  # of a cached function
    name = thing.__name__ if isinstance(thing, types.ModuleType) else f"{thing.__module__}.{thing.__qualname__}"
    module = _module(thing)
    path = Path(getattr(module, "__file__", None) or "/")
    if is_own(getattr(module, "__name__", "")) and CODE in path.parents and not _of_environment(path):
        files.add(path)
    elif not isinstance(thing, types.ModuleType) and thing.__module__ == "__main__" and isinstance(thing, type):
        return [name.encode(), *(value for value in vars(thing).values() if isinstance(value, types.FunctionType))]
    if not isinstance(thing, types.FunctionType):
        return [name.encode()]
    held = [cell.cell_contents for cell in thing.__closure__ or ()]
    parts = [name.encode(), held, thing.__defaults__, thing.__kwdefaults__]
    return parts if path in files else [*parts, *_written(thing.__code__, thing.__globals__)]


def _of_environment(path):
    """Whether a file belongs to the interpreter and its packages, which may lie in the project under any name."""
    place = Path(sys.prefix)
    return place in path.parents and place not in (CODE, *CODE.parents)


def _module(thing):
    return thing if isinstance(thing, types.ModuleType) else sys.modules.get(thing.__module__)


def _written(code, scope):
    """What a function of a notebook is: its instructions, constants, names, and the globals it reads."""
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    plain = [constant for constant in code.co_consts if not isinstance(constant, types.CodeType)]
    read = {step.argval for step in get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    parts = [code.co_code, plain, code.co_names, {name: scope[name] for name in read if name in scope}]
    return [*parts, *(part for one in inner for part in _written(one, scope))]

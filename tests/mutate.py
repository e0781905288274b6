"""Mutation testing: break one place of a module after another and see whether its tests notice.

    OMP_NUM_THREADS=1 .venv/bin/python -m tests.mutate lib/verdict.py lib/report.py --sample 40 --seed 0

Of all mutants a sample is drawn. Each runs in a process of its own, against those of the module's tests that reach the
function, the quickest first. Kept with the book, where reasons that are written beside survivors stay.
"""

import argparse
import ast
import json
import os
import pickle
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import accumulate
from pathlib import Path
from tempfile import NamedTemporaryFile

import hypothesis
import pytest

from benchmarks.timing import provenance

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "book" / "results" / "mutation.json"
MEMORY = 16 * 2**30
# Test files of a module, where they are not the one that bears its name.
TESTS = {"transport": ("matching",), "split": ("split", "blocks")}
TESTS["known_pairs"] = ("known_pairs", "known_constructions")
ANEW = ("lib", "tests", "helpers", "conftest", "test_", "__main__")  # imported anew by each process

SWAPS = {ast.Lt: ast.LtE, ast.Gt: ast.GtE, ast.Eq: ast.NotEq, ast.Is: ast.IsNot, ast.In: ast.NotIn, ast.Add: ast.Sub}
SWAPS |= {ast.Mult: ast.Div, ast.And: ast.Or, ast.BitAnd: ast.BitOr, ast.FloorDiv: ast.Mod}
SWAPS |= {there: here for here, there in SWAPS.items()} | {ast.Pow: ast.Mult}
NAMES = {"min": "max", "any": "all", "amin": "amax", "argmin": "argmax", "floor": "ceil", "minimum": "maximum"}
NAMES |= {there: here for here, there in NAMES.items()}


def changes(node):
    """What can be broken in a node of the tree: attribute, other value, words and line of each."""
    line = getattr(node, "lineno", None)
    match node:
        case ast.Compare(ops=old):
            for i, one in enumerate(old):
                if new := SWAPS.get(type(one)):
                    yield "ops", [*old[:i], new(), *old[i + 1 :]], f"{type(one).__name__} to {new.__name__}", line
        case ast.BoolOp(op=old) | ast.BinOp(op=old) | ast.AugAssign(op=old) if new := SWAPS.get(type(old)):
            yield "op", new(), f"{type(old).__name__} to {new.__name__}", line
        case ast.Constant(value=bool() | int() | float() as old):
            new = not old if isinstance(old, bool) else old + 1
            yield "value", new, f"{old} to {new}", line
        case ast.Name(id=old) if old in NAMES:
            yield "id", NAMES[old], f"{old} to {NAMES[old]}", line
        case ast.Attribute(attr=old) if old in NAMES:
            yield "attr", NAMES[old], f"{old} to {NAMES[old]}", line
        case ast.Call(keywords=given):
            for i, one in enumerate(given):
                if one.arg != "strict":
                    yield "keywords", given[:i] + given[i + 1 :], f"without {one.arg or '**'}", one.lineno
        case ast.Return(value=ast.expr() as old) if ast.unparse(old) != "None":
            yield "value", ast.Constant(None), "returns None", line
        case ast.comprehension(ifs=[first, *_]):
            yield "ifs", [], "without if", first.lineno
    for field, held in ast.iter_fields(node):
        for i, one in enumerate(held if isinstance(held, list) else [held]):
            if found := without(one):
                other = [*held[:i], found[0], *held[i + 1 :]] if isinstance(held, list) else found[0]
                yield field, other, found[1], one.lineno


def without(node):
    """What stands in the place of a node if a part of it is taken away, and words; None if it is not of such a kind."""
    match node:
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return node.operand, f"without {type(node.op).__name__}"
        case ast.IfExp():
            return node.orelse, "always else"
        case ast.If():
            return ast.If(ast.Constant(False), [ast.Pass()], node.orelse), "never if"
        case ast.AugAssign() | ast.Raise() | ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            return ast.Pass(), "removed"
        case ast.Expr() if not isinstance(node.value, ast.Constant):
            return ast.Pass(), "removed"


def mutants(node, function=None):
    """Every mutant below a node: the function it is in by its first line, the node, and what to change in it."""
    if isinstance(node, ast.keyword) and node.arg == "strict":  # which guards against what no test brings about
        return
    if isinstance(node, ast.FunctionDef):
        function = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    for change in changes(node):
        yield function, node, change
    for field, held in ast.iter_fields(node):
        for child in held if isinstance(held, list) else [held]:
            if isinstance(child, ast.AST) and field not in ("annotation", "returns"):
                yield from mutants(child, function)


class Watch:
    """A pytest plugin that notes which functions of a file each test calls, and how long it takes; or picks tests."""

    def __init__(self, file, chosen=None):
        self.file, self.chosen, self.test = str(file), chosen, None
        self.calls, self.seconds, self.failed = {None: set()}, {}, set()

    def pytest_collection(self):
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]  # which shrink nothing
        hypothesis.settings.register_profile("quick", phases=phases)
        hypothesis.settings.load_profile("quick")

    def pytest_collection_modifyitems(self, items):
        if self.chosen is not None:
            rank = {name: i for i, name in enumerate(self.chosen)}
            items[:] = sorted((one for one in items if one.nodeid in rank), key=lambda one: rank[one.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.test, start = item.nodeid, time.perf_counter()
        self.calls[self.test] = set()
        result = yield
        self.seconds[self.test], self.test = time.perf_counter() - start, None
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        """What fixtures call that tests share counts for all."""
        test, self.test = self.test, self.test if fixturedef.scope == "function" else None
        result = yield
        self.test = test
        return result

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.add(report.nodeid)

    def trace(self, frame, event, argument):
        if frame.f_code.co_filename == self.file:
            self.calls[self.test].add(frame.f_code.co_firstlineno)


class Broken(SourceFileLoader):
    """Finds and loads one module, from a tree instead of its file."""

    def __init__(self, name, path, tree):
        super().__init__(name, path)
        self.tree = tree

    def find_spec(self, name, path=None, target=None):
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname):
        return compile(ast.fix_missing_locations(self.tree), self.path, "exec", dont_inherit=True)


def tests_of(module):
    """The test files of a module, as lib/chapter/claims.py."""
    folder = Path("tests", *Path(module).parent.parts[1:])
    return [str(folder / f"test_{name}.py") for name in TESTS.get(Path(module).stem, (Path(module).stem,))]


def forked(work, limit=None):
    """The exit code of `work` in a process of its own that says nothing, or None if it took longer than the limit."""
    if (child := os.fork()) == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        code = 70
        with suppress(BaseException):
            code = work()
        os._exit(code)
    start = time.monotonic()
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if limit and time.monotonic() - start > limit:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(ended[1])


def run_tests(files, plugin, *options):
    options = ["-q", *options, "-p", "no:cacheprovider", "-p", "no:timeout", "-p", "no:xdist", "-p", "no:randomly"]
    return int(pytest.main([*options, *files], plugins=[plugin]))


def sound(module):
    """What tests of the unbroken module call, how long they take, and what they import that is not the project's.

    Tests that fail here are left out: some measure the memory of a process, which a forked one has from its parent.
    """

    def work():
        watch = Watch(ROOT / module)
        sys.settrace(watch.trace)
        code = run_tests(tests_of(module), watch)
        sys.settrace(None)
        imported = [name for name in sys.modules if not name.startswith(ANEW)]
        seconds = {name: time for name, time in watch.seconds.items() if name not in watch.failed}
        Path(file.name).write_bytes(pickle.dumps((watch.calls, seconds, imported)))
        return 0 if seconds else code or 1

    with NamedTemporaryFile() as file:
        if code := forked(work):
            raise SystemExit(f"{module}: no test passes ({code}): mend them first")
        return pickle.loads(Path(file.name).read_bytes())


def survives(module, tree, tests, seconds):
    """Whether all tests pass with this tree for the module."""

    def work():
        sys.meta_path.insert(0, Broken(module.removesuffix(".py").replace("/", "."), str(ROOT / module), tree))
        return run_tests(tests_of(module), Watch(ROOT / module, tests), "-x")

    return forked(work, 20 + 5 * seconds) == 0


def quickest(seconds, most):
    """Names in the order of their seconds, as many as take no more than the `most` together, and one at least."""
    names = sorted(seconds, key=lambda name: seconds[name])
    total = list(accumulate(seconds[name] for name in names))
    return [name for name, end in zip(names, total, strict=True) if end <= max(most, total[0])]


def score(module, sample, seed, most, again):
    """Mutants of a module tried and killed, and the survivors by line and source; `again`: those alone may survive."""
    calls, seconds, imported = sound(module)
    for name in imported:  # once for all processes that follow
        with suppress(Exception):
            import_module(name)
    source = (ROOT / module).read_text(encoding="utf-8")
    tree = ast.parse(source)
    found = list(mutants(tree))
    survivors, chosen = [], random.Random(f"{seed} {module}").sample(found, min(sample, len(found)))
    if not survives(module, tree, quickest(seconds, 0), 0):
        raise SystemExit(f"{module}: its tests do not pass once it is loaded from a tree")
    for function, node, (field, other, words, line) in chosen:
        if again is not None and (line, words) not in again:
            continue
        everywhere = function is None or function in calls[None]
        tests = quickest({one: seconds[one] for one in seconds if everywhere or function in calls[one]}, most)
        before = getattr(node, field)
        setattr(node, field, other)
        if not tests or survives(module, tree, tests, sum(seconds[one] for one in tests)):
            survivors.append({"line": line, "source": source.splitlines()[line - 1].strip(), "mutation": words})
            print(f"{module}:{line}: {words}{'' if tests else ' (no test calls it)'}\n    {survivors[-1]['source']}")
        setattr(node, field, before)
    return {"mutants": len(found), "tried": len(chosen), "killed": len(chosen) - len(survivors), "survivors": survivors}


def kept():
    return json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}


def keep(module, result):
    """Keep the result in place of the last one on this module, with the reasons that it gave for the same survivors."""
    held = kept()
    reasons = {(one["source"], one["mutation"]): one["reason"] for one in held.get(module, {}).get("survivors", [])}
    for one in result["survivors"]:
        one["reason"] = reasons.get((one["source"], one["mutation"]), "")
    held[module] = result
    KEPT.write_text(json.dumps(dict(sorted(held.items())), indent=1) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--sample", type=int, default=40, help="mutants of each module, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--seconds", type=float, default=60, help="that the tests of one mutant may take, unbroken")
    parser.add_argument("--again", action="store_true", help="try the survivors kept alone, since tests were added")
    given = parser.parse_args()
    os.chdir(ROOT)
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], capture_output=True, text=True
    ).stdout.strip()
    for module in given.modules:
        start, again = time.monotonic(), None
        if given.again:
            again = {(one["line"], one["mutation"]) for one in kept()[module]["survivors"]}
        result = score(module, given.sample, given.seed, given.seconds, again)
        about = {"tests": tests_of(module), "seed": given.seed, "seconds": given.seconds, "revision": revision}
        keep(module, about | result | provenance())
        seconds = time.monotonic() - start
        print(f"{module}: {result['killed']} of {result['tried']} killed, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()

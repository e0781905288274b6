"""What setuptools does beside its own: an installed copy is called `superposition_alignment`, in its imports too.

In a checkout, and where this is installed with `-e`, the folder is `lib`, as the book teaches it. That name is too
common to be claimed among installed packages.
"""

import re
from pathlib import Path

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.egg_info import egg_info

NAME = "superposition_alignment"
READ = ("notebooks/*.py", "book/claims.yml", "book/results/**/*")  # by chapters that run without a checkout


class Wheel(bdist_wheel):
    """A wheel without the package `lib`."""

    def run(self):
        self.distribution.packages = [name for name in self.distribution.packages if name.split(".")[0] == NAME]
        super().run()


class Info(egg_info):
    """What is said of a copy names its package alone."""

    def run(self):
        super().run()
        Path(self.egg_info, "top_level.txt").write_text(f"{NAME}\n", encoding="utf-8")


class Build(build_py):
    """Copies in which modules import each other by the name they are installed under, and what chapters read."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        for path in (path for pattern in READ for path in Path().glob(pattern) if path.is_file()):
            copy = Path(self.build_lib, NAME, path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
        for path in Path(self.build_lib, NAME).rglob("*.py"):
            path.write_text(renamed(path.read_text(encoding="utf-8")), encoding="utf-8")


def renamed(source: str) -> str:
    """Source with `lib` renamed in imports, and in what it says of modules."""
    return re.sub(r"\bfrom lib\b|(?<![\w./])lib(?=\.\w)", lambda found: found[0].replace("lib", NAME), source)

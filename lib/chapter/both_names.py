"""Imported in a checkout, makes `superposition_alignment` another name of `lib`, down to each module.

A notebook that stands on its own imports the installed package. In a checkout it gets the modules that these import
from each other: the same file loaded under two names would be two modules, whose classes differ.
"""

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

INSTALLED_AS = "superposition_alignment"


class Same(MetaPathFinder, Loader):
    """Finds a module of `lib` under the other name."""

    def find_spec(self, fullname, path=None, target=None):
        return ModuleSpec(fullname, self) if fullname.split(".")[0] == INSTALLED_AS else None

    def create_module(self, spec):
        module = import_module("lib" + spec.name.removeprefix(INSTALLED_AS))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module):
        spec = module.__spec__  # the module has been executed, and goes by its first name
        module.__spec__ = spec.loader_state if spec else None


sys.meta_path.insert(0, Same())

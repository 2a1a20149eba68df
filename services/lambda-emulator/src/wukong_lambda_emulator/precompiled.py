"""Modules that are compiled now and run later.

awslambdaric's two central modules must run after the fork, because they look at the environment's variables. But
they can be read and compiled before it, which is most of their cost where Python may not keep bytecode.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType


class _Loader(SourceFileLoader):
    """Runs code that it compiled when it was made."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name, path)
        self._compiled = super().get_code(name)

    def get_code(self, fullname: str) -> CodeType | None:
        return self._compiled


class _Finder(MetaPathFinder):
    """Finds the modules that were compiled, before anybody looks for them on disk."""

    def __init__(self, specs: dict[str, ModuleSpec]) -> None:
        self._specs = specs

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return self._specs.get(fullname)


def precompile(names: Iterable[str]) -> None:
    """Read and compile modules, so that importing them later only runs them. Their packages are imported."""
    specs = {}
    for name in names:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            loader = _Loader(name, found.origin)
            spec = importlib.util.spec_from_file_location(name, found.origin, loader=loader)
            if spec is not None:
                specs[name] = spec
    sys.meta_path.insert(0, _Finder(specs))

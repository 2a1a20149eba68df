"""Which modules travel with the graph: the user's own ones, which no executor has installed."""

from __future__ import annotations

import functools
import os
import site
import sys
import sysconfig
from collections.abc import Iterable
from types import ModuleType

import cloudpickle

#: Names that were looked at before, so that only newly imported modules cost anything.
_seen: set[str] = set()


def register_user_modules(by_value: str | Iterable[str] = "auto") -> None:
    """Makes cloudpickle store functions and classes of the user's modules by value.

    Args:
        by_value: "auto" for every imported module that lies outside the standard library and site-packages (and is
            not part of Wukong), or the names of modules, whose sub-modules count too.

    Raises:
        ValueError: A named module is not imported.
    """
    if by_value != "auto":
        for name in [by_value] if isinstance(by_value, str) else by_value:
            module = sys.modules.get(name)
            if module is None:
                raise ValueError(f"by_value names the module {name!r}, which is not imported")
            cloudpickle.register_pickle_by_value(module)
        return
    for name in sys.modules.keys() - _seen:
        _seen.add(name)
        module = sys.modules.get(name)
        if module is not None and is_user_module(module):
            cloudpickle.register_pickle_by_value(module)


def is_user_module(module: ModuleType) -> bool:
    """Whether a module is Python source of the user's own, which executors do not have.

    `__main__` is not: cloudpickle stores it by value in any case.
    """
    name = getattr(module, "__name__", None)
    if not isinstance(name, str) or sys.modules.get(name) is not module:
        return False
    top = name.partition(".")[0]
    if top in ("__main__", "__mp_main__", "wukong") or top.startswith("wukong_"):
        return False
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return False
    path = os.path.realpath(file)
    if "site-packages" in path or "dist-packages" in path:
        return False
    return not path.startswith(_installed())


@functools.cache
def _installed() -> tuple[str, ...]:
    """The folders of the standard library and of installed packages."""
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders.update(site.getsitepackages())
    folders.add(site.getusersitepackages())
    return tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)

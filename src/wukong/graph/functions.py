"""The functions that calls by name may reach: an allow-list, so that a client's string never imports anything."""

from __future__ import annotations

import builtins
import functools
import importlib.metadata
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

#: The entry-point group through which an executor image adds functions. Each entry names a module (all its public
#: functions) or one function.
GROUP = "wukong.functions"

#: What every executor offers, to try calls out with. Nothing here reaches files, modules, attributes or code.
_DEFAULTS: dict[ModuleType, str] = {
    builtins: "abs bool dict divmod float int len list max min pow range round set sorted str sum tuple",
    operator: "add and_ concat contains countOf eq floordiv ge getitem gt indexOf invert le lt mod mul ne neg not_ or_ "
    "pos pow sub truediv xor",
    math: "acos asin atan atan2 ceil comb cos degrees dist erf exp fabs factorial floor fmod fsum gamma gcd hypot "
    "isqrt lcm log log10 log1p log2 perm pow prod radians sin sqrt tan tanh trunc",
}


@functools.cache
def allowed_functions() -> Mapping[str, Callable[..., Any]]:
    """The callables that calls by name may reach, by "module:name"; looked for once a process.

    Raises:
        ImportError: An entry point of the group names something that is not there.
    """
    allowed: dict[str, Callable[..., Any]] = {
        f"{module.__name__}:{name}": getattr(module, name)
        for module, names in _DEFAULTS.items()
        for name in names.split()
    }
    for entry in importlib.metadata.entry_points(group=GROUP):
        loaded = entry.load()
        if isinstance(loaded, ModuleType):
            allowed.update(_public_functions(loaded))
        else:
            allowed[f"{entry.module}:{entry.attr}"] = loaded
    return MappingProxyType(allowed)


def _public_functions(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    listed = getattr(module, "__all__", None)
    for name, value in vars(module).items():
        # Without a list, what the module imported from elsewhere is not its own to offer.
        public = name in listed if listed is not None else getattr(value, "__module__", None) == module.__name__
        if public and callable(value) and not name.startswith("_"):
            yield f"{module.__name__}:{name}", value

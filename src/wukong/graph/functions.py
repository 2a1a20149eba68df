"""The functions that calls by name may reach: an allow-list, so that a client's string never imports anything."""

from __future__ import annotations

import builtins
import functools
import importlib.metadata
import json
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any

from wukong.errors import InvalidGraph

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


@dataclass(frozen=True, slots=True)
class Offer:
    """What is known of the allow-list without importing anything, so that the scheduler can refuse calls at the door.

    Attributes:
        names: Functions that are on the list, as "module:name".
        modules: Modules of which any function may be on the list.
    """

    names: frozenset[str]
    modules: frozenset[str] = frozenset()

    def may_have(self, name: str) -> bool:
        """Whether a function may be on the list; only an import tells of those in `modules`."""
        return name in self.names or name.partition(":")[0] in self.modules

    @classmethod
    def installed(cls) -> Offer:
        """That of this interpreter."""
        entries = importlib.metadata.entry_points(group=GROUP)
        return cls(
            frozenset(_defaults()) | {f"{entry.module}:{entry.attr}" for entry in entries if entry.attr},
            frozenset(entry.module for entry in entries if not entry.attr),
        )

    @classmethod
    def parse(cls, manifest: str) -> Offer | None:
        """What the executors' manifest (`wukong.runtime`), as JSON, says of it; None where it says nothing.

        Raises:
            ValueError: It is not JSON, or its "functions" is no list of names.
        """
        names = json.loads(manifest).get("functions")
        if names is None:
            return None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError('"functions" in a manifest of executors is not a list of names')
        return cls(frozenset(names))


def not_offered(key: object, name: str) -> InvalidGraph:
    """The error for a call of a function that is not on the list."""
    return InvalidGraph(
        f"task {key!r} calls {name!r}, which is not among the functions that this cluster's executors offer; "
        f"an executor image offers more through the entry-point group {GROUP!r}"
    )


def _defaults() -> dict[str, Callable[..., Any]]:
    return {
        f"{module.__name__}:{name}": getattr(module, name)
        for module, names in _DEFAULTS.items()
        for name in names.split()
    }


@functools.cache
def allowed_functions() -> Mapping[str, Callable[..., Any]]:
    """The callables that calls by name may reach, by "module:name"; looked for once a process.

    Raises:
        ImportError: An entry point of the group names something that is not there.
    """
    allowed = _defaults()
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

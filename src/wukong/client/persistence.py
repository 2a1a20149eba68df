"""Persists Dask collections: Dask takes them apart and puts them together again, a scheduler keeps their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dask
from dask._expr import Expr
from dask.base import unpack_collections


def persist(arguments: Sequence[Any], scheduler: Callable[..., Any], options: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments with their collections persisted.

    Args:
        arguments: Collections, and whatever holds some: lists, tuples, dicts.
        scheduler: A Dask scheduler that gives, for each key, the node that stands for its value from now on.
        options: Those of `dask.persist`, and the scheduler's keywords.
    """
    traverse = options.pop("traverse", True)
    collections, repack = unpack_collections(*arguments, traverse=traverse)
    if not collections:
        return tuple(arguments)
    # Dask optimizes collections of one kind together, and then takes the keys of one for another's where some of
    # another kind stand between them. So those of one kind stand together.
    kinds = [_kind(collection) for collection in collections]
    order = sorted(range(len(kinds)), key=lambda position: kinds.index(kinds[position]))
    found = dask.persist(*(collections[position] for position in order), traverse=False, scheduler=scheduler, **options)
    persisted = dict(zip(order, found, strict=True))
    repacked: tuple[Any, ...] = repack([persisted[position] for position in range(len(order))])
    return repacked


def _kind(collection: Any) -> Any:
    """What Dask groups collections by."""
    if isinstance(getattr(collection, "expr", None), Expr):
        return None
    return getattr(collection, "__dask_optimize__", None)

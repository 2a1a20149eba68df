"""Puts values into the shape in which their keys were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wukong.graph.dag import Key


def arrange(keys: Any, index: Mapping[Key, int], values: Mapping[int, Any]) -> Any:
    """What Dask's `get` returns: for a key its value, for a list of keys a tuple, nested as the lists are.

    Args:
        keys: What was asked for.
        index: The task of each key.
        values: The value of each task.
    """
    if isinstance(keys, list):
        return tuple([arrange(key, index, values) if isinstance(key, list) else values[index[key]] for key in keys])
    return values[index[keys]]

"""Whether two engines computed the same. Sums of floats may be added in another order; all else is equal."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Of blocks with values about 1, after some hundred thousand additions.
RELATIVE = 1e-7
ABSOLUTE = 1e-7


def difference(expected: Any, found: Any, where: str = "result") -> str | None:
    """What the first difference is, and where; None where there is none. Lists and tuples are the same."""
    if isinstance(expected, (list, tuple)):
        if not isinstance(found, (list, tuple)):
            return f"{where} is a {type(found).__name__}, not a list"
        if len(found) != len(expected):
            return f"{where} has {len(found)} items, not {len(expected)}"
        differences = (difference(*pair, f"{where}[{i}]") for i, pair in enumerate(zip(expected, found, strict=True)))
        return next((text for text in differences if text is not None), None)
    if type(found) is not type(expected):
        return f"{where} is a {type(found).__name__}, not a {type(expected).__name__}"
    if isinstance(expected, (float, np.ndarray, np.generic)):
        return _of_numbers(np.asarray(expected), np.asarray(found), where)
    if hasattr(expected, "columns"):
        return _of_frames(expected, found, where)
    return None if found == expected else f"{where} is {found!r}, not {expected!r}"


def _of_numbers(expected: np.ndarray[Any, Any], found: np.ndarray[Any, Any], where: str) -> str | None:
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return f"{where} is {found.dtype}{list(found.shape)}, not {expected.dtype}{list(expected.shape)}"
    if expected.dtype.kind not in "fc":
        same = np.array_equal(found, expected)
    else:
        same = np.allclose(found, expected, RELATIVE, ABSOLUTE, equal_nan=True)
    return None if same else f"{where} has other numbers"


def _of_frames(expected: Any, found: Any, where: str) -> str | None:
    import pandas as pd

    try:
        pd.testing.assert_frame_equal(found.sort_index(), expected.sort_index(), rtol=RELATIVE, atol=ABSOLUTE)
    except AssertionError as error:
        return f"{where} is another frame: {error}"
    return None

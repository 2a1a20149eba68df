"""Threads of the linear algebra that the zygote has loaded.

On Lambda, OpenBLAS reads `OPENBLAS_NUM_THREADS` when it is loaded. A forked environment got it loaded, and limited
to the one thread that a zygote may have, so what the function's variable says has to be told to it.
"""

from __future__ import annotations

import contextlib
import ctypes

# The names under which builds of OpenBLAS export the one function, numpy's and scipy's own first.
_SETTERS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
)


def allow_openblas(count: int) -> None:
    """Let every OpenBLAS in this process use `count` threads. Does nothing where there is none, or no /proc."""
    with contextlib.suppress(OSError), open("/proc/self/maps") as maps:
        for path in {line.split(maxsplit=5)[5].rstrip("\n") for line in maps if "openblas" in line}:
            library = ctypes.CDLL(path)
            setter = next((name for name in _SETTERS if hasattr(library, name)), None)
            if setter is not None:
                getattr(library, setter)(count)

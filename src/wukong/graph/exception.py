"""Takes an exception along as bytes, if it can make the journey there and back."""

from __future__ import annotations

import pickle

import cloudpickle


def pickled(error: BaseException, limit: int) -> bytes:
    """The exception without its traceback, which it loses by this; empty if it cannot be read back, or is too large.

    Args:
        error: The exception.
        limit: The most bytes.
    """
    try:
        data: bytes = cloudpickle.dumps(error.with_traceback(None))
        pickle.loads(data)
    except Exception:
        return b""
    return data if len(data) <= limit else b""

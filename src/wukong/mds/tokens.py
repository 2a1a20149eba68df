"""Tokens of holders: random, and marked with the invocation that they came with.

Everybody who begins a record has a token of its own, also two deliveries of one invocation. Its first characters say
which invocation that was, so that who learns of an invocation's end knows whether it was the holder's.
"""

from __future__ import annotations

import hashlib
import os

_MARK = 8


def mark(request_id: str) -> str:
    """With what the tokens of an invocation begin; empty where it is not known which one it was."""
    return hashlib.sha256(request_id.encode()).hexdigest()[:_MARK] if request_id else ""


def new_token(request_id: str) -> str:
    """A token for somebody who was started by that invocation."""
    return mark(request_id) + os.urandom(8).hex()

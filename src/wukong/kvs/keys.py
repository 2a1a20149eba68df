"""The names of all keys in the KVS.

Owners are jobs, or uploaded inputs ("in:" and the hash of their content). A token is unique to one writing of one
value, so two writers of one name never mix their stripes. Owners, names and tokens have no white space or control
characters, and tokens no colon.
"""

from __future__ import annotations


def stripe(owner: str, name: str, token: str, number: int) -> str:
    """String: the bytes of one stripe of a value."""
    return f"w:{owner}:v:{name}:{token}:{number}"


def index(owner: str) -> str:
    """Set, one on each node: the keys of the owner that this node holds, so that they can be purged."""
    return f"w:{owner}:k"

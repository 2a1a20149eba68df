"""The names of all keys in the KVS.

Owners are jobs, or single uploads of inputs. A token is unique to one writing of one value, so two writers of one name
never mix their stripes. Where nodes hold more than one cluster's values, owners start with the cluster's namespace,
such as `5f1c02aa:`. Owners, names and tokens have no white space or control characters, and tokens no colon.
"""

from __future__ import annotations

INPUT = "in:"
"""How the owner of an upload starts. No job's id does."""


def upload_owner(content_hash: str, token: str) -> str:
    """The owner of one upload of an input.

    It is not that of another upload of the same content: a purge removes what was told to be free, and nothing that
    somebody uploads meanwhile.
    """
    return f"{INPUT}{content_hash}:{token}"


def stripe(owner: str, name: str, token: str, number: int) -> str:
    """String: the bytes of one stripe of a value."""
    return f"w:{owner}:v:{name}:{token}:{number}"


def first_stripe(key: str) -> tuple[str, int]:
    """The key of the first stripe of the stream that a stripe belongs to, and the stripe's number."""
    stream, _, number = key.rpartition(":")
    return (f"{stream}:0", int(number)) if stream and number.isdecimal() else (key, 0)


def name_and_token(owner: str, key: str) -> tuple[str, str]:
    """What `stripe` made a key of, given its owner."""
    name, token, _ = key[len(f"w:{owner}:v:") :].rsplit(":", 2)
    return name, token


def index(owner: str) -> str:
    """Set, one on each node: the keys of the owner that this node holds, so that they can be purged."""
    return f"w:{owner}:k"

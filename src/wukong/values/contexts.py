"""What signatures of values are bound to, so that one value's mark never passes for that of another."""

from __future__ import annotations


def value_context(owner: str, name: str) -> str:
    """That of a pickle that travels in a mark."""
    return f"value:{owner}:{name}"


def manifest_context(owner: str, name: str) -> str:
    """That of a manifest: not that of pickles, for which one must never pass."""
    return f"manifest:{owner}:{name}"


def adopted_context(source: tuple[str, str], owner: str, name: str) -> str:
    """That of the manifest of the value `source` (owner, name) where it stands for an input of another job."""
    return f"adopted:{source[0]}:{source[1]}:{owner}:{name}"

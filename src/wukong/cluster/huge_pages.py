"""Huge pages for the memory of large values, where the system gives them to who asks (Linux, glibc 2.35 or newer)."""

from __future__ import annotations

from collections.abc import Mapping

#: Has glibc ask for them. Where a program has another allocator, it does nothing.
_TUNABLE = "glibc.malloc.hugetlb=1"


def with_huge_pages(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of a program that shall have them. What is tuned in it already stays."""
    tuned = environ.get("GLIBC_TUNABLES", "")
    return {**environ, "GLIBC_TUNABLES": ":".join(filter(None, (_TUNABLE, tuned)))}

"""The policies by the names that users choose them by.

`"heartbeat without inlining"` is a policy too: one that lacks a mechanism, to measure what it brings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from wukong.engine.policy.heartbeat import Heartbeat
from wukong.engine.policy.policy import Policy
from wukong.engine.policy.stateless import Stateless
from wukong.engine.policy.without import MECHANISMS, Without
from wukong.engine.policy.wukong2020 import Wukong2020

#: Name -> what makes the policy, of the cost of an invocation in seconds and of the bytes from which a value is large.
POLICIES: Final[Mapping[str, Callable[[float, int], Policy]]] = {
    "heartbeat": lambda invocation_seconds, large_bytes: Heartbeat(invocation_seconds),
    "wukong2020": lambda invocation_seconds, large_bytes: Wukong2020(large_bytes),
    "stateless": lambda invocation_seconds, large_bytes: Stateless(),
}

#: The names of the policies that lack one mechanism.
ABLATIONS: Final = tuple(f"{name} without {mechanism}" for name in MECHANISMS for mechanism in MECHANISMS[name])


def check_policy(name: str) -> str:
    """The name, if there is such a policy.

    Raises:
        ValueError: There is none.
    """
    if name in POLICIES or name in ABLATIONS:
        return name
    base, _, lacks = str(name).partition(" without ")  # what a user gave need not be a text
    if lacks and base in MECHANISMS:
        known = ", ".join(map(repr, MECHANISMS[base]))
        raise ValueError(f"the policy {base!r} has no mechanism {lacks!r} that it could be without; it has {known}")
    known = ", ".join(map(repr, POLICIES))
    raise ValueError(f"there is no policy {name!r}; the policies are {known}")


def policy_named(name: str, invocation_seconds: float, large_bytes: int) -> Policy:
    """The policy with that name.

    Args:
        name: Its name.
        invocation_seconds: What starting an executor costs.
        large_bytes: From how many bytes on a value counts as large.

    Raises:
        ValueError: There is no policy with that name.
    """
    base, _, lacks = check_policy(name).partition(" without ")
    policy = POLICIES[base](invocation_seconds, large_bytes)
    return Without(policy, lacks) if lacks else policy

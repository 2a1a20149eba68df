"""What `wukong doctor` finds, and how it compares versions. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from wukong.cli.exits import Exit, exit_of
from wukong.cli.output import one_line
from wukong.errors import AccessDenied, ClusterUnavailable, MissingModule, VersionMismatch, WukongError
from wukong.runtime import STRICT


class Outcome(enum.Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not as well as it could, or not always."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        outcome: How it ended.
        detail: What was found.
        advice: What to do about it; empty where nothing is to be done.
        exit: The command's exit code, if this is the first check that failed.
    """

    name: str
    outcome: Outcome
    detail: str
    advice: str = ""
    exit: Exit = Exit.OK

    def lines(self) -> str:
        """The check for a terminal."""
        text = f"{self.outcome.value:<8} {self.name}: {self.detail}"
        return f"{text}\n         -> {self.advice}" if self.advice else text

    def as_dict(self) -> dict[str, str]:
        """The check for a program."""
        return {"name": self.name, "outcome": self.outcome.value, "detail": self.detail, "advice": self.advice}


_LOGS = "look into the cluster's logs (in containers: `docker compose logs`)"

_ADVICE: tuple[tuple[type[WukongError], str], ...] = (
    (
        ClusterUnavailable,
        "start the cluster (`wukong up`, in containers `wukong up --compose`), or correct the address and what is "
        "between here and there",
    ),
    (AccessDenied, "use the token that belongs to this cluster (WUKONG_TOKEN or --token); what started it says which"),
    (VersionMismatch, "install the cluster's versions beside this client, or build an executor image with these"),
    (MissingModule, "install the module in the executors' environment"),
)


def failed(name: str, error: WukongError) -> Check:
    """A check that an error ended."""
    advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), _LOGS)
    return Check(name, Outcome.FAILED, one_line(str(error)), advice, exit_of(error))


def versions(here: Mapping[str, str], there: Mapping[str, str]) -> Check:
    """Versions at this client beside those of the cluster, by name ("python", "wukong" and packages).

    It has failed where pickles of the one side break on the other, which the scheduler refuses; calls by name go on.
    """
    different = [name for name, version in sorted(there.items()) if here.get(name) != version]
    if not different:
        return Check("versions", Outcome.OK, ", ".join(f"{name} {here[name]}" for name in sorted(there)))
    detail = "; ".join(
        f"{name} is {here.get(name, 'missing')} here and {there[name]} at the cluster" for name in different
    )
    minor, other = (".".join(side.get("python", "").split(".")[:2]) for side in (there, here))
    wanted = " ".join(f"{name}=={there[name]}" for name in different if name != "python")
    advice = []
    if minor != other:
        advice.append(
            f"run this client with Python {minor}, or build the executors' image on Python {other} (BASE_IMAGE)"
        )
    if wanted:
        advice.append(f"install {wanted}")
    if not advice:
        advice.append(f"use Python {there['python']}, or live with another patch release")
    if minor != other or not set(STRICT).isdisjoint(different):
        return Check("versions", Outcome.FAILED, detail, "; ".join(advice), Exit.VERSIONS)
    return Check("versions", Outcome.WARNING, detail, "; ".join(advice))


def nodes(count: int, ring_version: int) -> Check:
    """The nodes of the key-value store that new jobs are given."""
    if not count:
        advice = "wait a moment, then look why none has started (in containers: `docker compose logs kvs-node`)"
        return Check("nodes", Outcome.FAILED, "the key-value store has no node", advice, Exit.UNAVAILABLE)
    return Check("nodes", Outcome.OK, f"{count} of the key-value store, in version {ring_version} of the ring")


def verdict(checks: list[Check]) -> Exit:
    """The exit code of all checks together: that of the first that failed."""
    return next((check.exit for check in checks if check.outcome is Outcome.FAILED), Exit.OK)

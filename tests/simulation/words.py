"""Calls and their answers in few words, for traces."""

from __future__ import annotations

from typing import Any

from wukong.mds.store import Begun, Status, Sync, Synced


def sync_name(sync: Sync) -> str:
    """What a `sync` says."""
    parts = [
        f"{arrival.child}({arrival.need}):marks {[edge for edge, _ in arrival.marks]} offers {list(arrival.offers)}"
        for arrival in sync.arrivals
    ]
    if sync.results:
        parts.append(f"results {[task for task, _ in sync.results]}")
    return f"sync {'; '.join(parts)}{' end' if sync.end else ''}"


def short(answer: Any) -> str:
    """What the metadata store answered."""
    if isinstance(answer, Synced):
        verdicts = "".join(answer.verdict.value for answer in answer.answers)
        return f"{answer.status.value} {verdicts}{' ended' if answer.ended else ''}"
    if isinstance(answer, Begun):
        if answer.status is not Status.OK:
            return answer.status.value
        return (
            f"OK holder {answer.begins}: entries {list(answer.entries)}, claims {list(answer.claims)}, "
            f"given {list(answer.given)}"
        )
    if isinstance(answer, Status):
        return answer.value
    if isinstance(answer, tuple):
        return " ".join(str(part.value if isinstance(part, Status) else part) for part in answer)
    return "ok"

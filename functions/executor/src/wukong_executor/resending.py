"""Sends again what a metadata store may have forgotten; `wukong_executor.acknowledged` knows what that is."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter as clock

from wukong.mds.store import Status, Sync, Synced
from wukong_executor.acknowledged import Acknowledged, Gave, Healed
from wukong_executor.lease import Lease


def send_again(acknowledged: Acknowledged, lease: Lease, sync: Callable[[Sync], Synced]) -> list[int]:
    """Send it; returns the fan-ins that were claimed by that, and not before.

    Where the record has another holder, nothing more is sent: the report that comes next is told so too.

    Args:
        acknowledged: The calls.
        lease: The holder's.
        sync: Makes a call that reports.
    """
    claimed: list[int] = []
    for call in acknowledged.again(lease.mds.reconnects):
        if isinstance(call, Gave):
            status, _ = lease.offload(call.offload, call.pieces, end=True)
            if status is not Status.OK:
                break
            acknowledged.note_offload(call.offload, call.pieces, clock(), lease.mds.reconnects)
            continue
        if isinstance(call, Healed):
            if lease.heal(call.task, call.mark) is not Status.OK:
                break
            acknowledged.note_healed(call.task, call.mark, clock(), lease.mds.reconnects)
            continue
        call = acknowledged.stamp(call)
        synced = sync(call)
        if synced.status is not Status.OK:
            break
        claimed += acknowledged.claimed(call, synced.answers)
        acknowledged.note(call, synced.answers, clock(), lease.mds.reconnects)
    return claimed

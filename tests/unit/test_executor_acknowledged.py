from __future__ import annotations

from wukong.mds.store import Answer, Arrival, Counters, LogText, Sync, Verdict
from wukong_executor import acknowledged
from wukong_executor.acknowledged import SECONDS, Acknowledged

C, T, N = (Answer(verdict) for verdict in (Verdict.CLAIMED, Verdict.TAKEN, Verdict.NOT_YET))


def test_marks_and_results_are_sent_again_and_nothing_that_counts_up_or_ends() -> None:
    log = Acknowledged()
    call = Sync(
        [Arrival(5, 2, [(0, b"N")])], [(9, b"R")], 3, 7, 8, Counters(tasks_run=4), [LogText(1, "stdout", "x")], end=True
    )
    log.note(call, [N], 1.0)
    assert log.again(2.0) == [Sync([Arrival(5, 2, [(0, b"N")])], [(9, b"R")])]


def test_a_beat_that_says_nothing_is_not_kept() -> None:
    log = Acknowledged()
    log.note(Sync(current=3), [], 1.0)
    assert log.again(1.0) == []


def test_what_was_only_offered_is_sent_again_only_where_it_was_claimed() -> None:
    log = Acknowledged()
    offer, both = Arrival(5, 2, [], [1]), Arrival(6, 3, [(0, b"N")], [1])
    log.note(Sync([offer, both]), [N, N], 1.0)
    log.note(Sync([offer, both]), [C, T], 2.0)
    assert [list(call.arrivals) for call in log.again(3.0)] == [
        [Arrival(6, 3, [(0, b"N")])],
        [offer, Arrival(6, 3, [(0, b"N")])],
    ]


def test_what_is_old_is_forgotten() -> None:
    log = Acknowledged()
    for second in range(15):
        log.note(Sync(results=[(second, b"R")]), [], float(second))
    assert [call.results[0][0] for call in log.again(14.0)] == list(range(14 - int(SECONDS), 15))
    assert log.again(100.0) == []


def test_no_more_is_kept_than_fits() -> None:
    log = Acknowledged()
    half = bytes(acknowledged.BYTES // 2)
    for number in range(3):
        log.note(Sync([Arrival(7, 2, [(0, half)])], [(number, b"")]), [N], 1.0)
    assert [call.results[0][0] for call in log.again(1.0)] == [1, 2]
    log.note(Sync(results=[(3, half + half + b"x")]), [], 1.0)
    assert log.again(1.0) == []


def test_only_a_claim_that_is_new_is_told_and_once() -> None:
    log = Acknowledged(claims=[1])
    call = Sync([Arrival(child, 2, [(0, b"N")]) for child in (1, 2, 3)])
    log.note(Sync([Arrival(2, 2, [(0, b"N")])]), [C], 1.0)
    assert log.claimed(call, [C, C, N]) == []
    assert log.claimed(call, [C, C, C]) == [3]
    assert log.claimed(call, [C, C, C]) == []

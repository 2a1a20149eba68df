from __future__ import annotations

from dataclasses import replace

from wukong.mds.records import Record
from wukong.mds.store import Answer, Arrival, Counters, LogText, Sync, Verdict
from wukong_executor import acknowledged
from wukong_executor.acknowledged import SECONDS, Acknowledged, Gave, Healed

C, T, N = (Answer(verdict) for verdict in (Verdict.CLAIMED, Verdict.TAKEN, Verdict.NOT_YET))


def test_marks_and_results_are_sent_again_and_nothing_that_counts_up_or_ends() -> None:
    log = Acknowledged()
    call = Sync(
        [Arrival(5, 2, [(0, b"N")])], [(9, b"R")], 3, 7, 8, Counters(tasks_run=4), [LogText(1, "stdout", "x")], end=True
    )
    log.note(call, [N], 1.0, 0)
    assert log.again(1) == [Sync([Arrival(5, 2, [(0, b"N")])], [(9, b"R")])]


def test_a_beat_that_says_nothing_is_not_kept() -> None:
    log = Acknowledged()
    log.note(Sync(current=3), [], 1.0, 0)
    assert log.again(1) == []


def test_what_was_only_offered_is_sent_again_only_where_it_was_claimed() -> None:
    log = Acknowledged()
    offer, both = Arrival(5, 2, [], [1]), Arrival(6, 3, [(0, b"N")], [1])
    log.note(Sync([offer, both]), [N, N], 1.0, 0)
    log.note(Sync([offer, both]), [C, T], 2.0, 0)
    assert [list(call.arrivals) for call in log.again(1)] == [
        [Arrival(6, 3, [(0, b"N")])],
        [offer, Arrival(6, 3, [(0, b"N")])],
    ]


def test_where_a_lost_value_is_now_is_told_again_in_its_turn() -> None:
    log = Acknowledged()
    log.note(Sync(results=[(9, b"R")]), [], 1.0, 0)
    log.note_healed(4, b"M", 2.0, 0)
    assert log.again(1) == [Sync([], [(9, b"R")]), Healed(4, b"M")]
    log.note_healed(4, b"M", 3.0, 1)
    log.note_healed(5, b"M", 3.0 + SECONDS + 0.1, 1)
    assert log.again(2) == [Healed(5, b"M")]


def test_what_a_server_has_outlived_is_forgotten() -> None:
    log = Acknowledged()
    for second in range(15):
        log.note(Sync(results=[(second, b"R")]), [], float(second), 0)
    assert [call.results[0][0] for call in log.again(1)] == list(range(14 - int(SECONDS), 15))


def test_nothing_is_forgotten_for_time_that_passes_in_silence() -> None:
    log = Acknowledged()
    log.note(Sync(results=[(1, b"R")]), [], 1.0, 0)
    assert [call.results[0][0] for call in log.again(1)] == [1]


def test_what_another_server_acknowledges_says_nothing_of_what_the_one_before_it_kept() -> None:
    log = Acknowledged(server=3)
    log.note(Sync(results=[(1, b"R")]), [], 1.0, 3)
    log.note(Sync(results=[(2, b"R")]), [], 50.0, 4)
    log.note_offload("x", [Record("", [5])], 100.0, 4)
    assert log.missed(4)
    assert [call.results[0][0] for call in log.again(4) if isinstance(call, Sync)] == [1, 2]
    assert not log.missed(4)


def test_no_more_is_kept_than_fits() -> None:
    log = Acknowledged()
    half = bytes(acknowledged.BYTES // 2)
    for number in range(3):
        log.note(Sync([Arrival(7, 2, [(0, half)])], [(number, b"")]), [N], 1.0, 0)
    assert [call.results[0][0] for call in log.again(1)] == [1, 2]
    log.note(Sync(results=[(3, half + half + b"x")]), [], 1.0, 0)
    assert log.again(1) == []


def test_only_a_claim_that_is_new_is_told_and_once() -> None:
    log = Acknowledged(claims=[1])
    call = Sync([Arrival(child, 2, [(0, b"N")]) for child in (1, 2, 3)])
    log.note(Sync([Arrival(2, 2, [(0, b"N")])]), [C], 1.0, 0)
    assert log.claimed(call, [C, C, N]) == []
    assert log.claimed(call, [C, C, C]) == [3]
    assert log.claimed(call, [C, C, C]) == []


def test_an_end_says_what_was_acknowledged_last() -> None:
    log = Acknowledged()
    first = log.stamp(Sync(end=True))
    assert (first.number, first.after, first.gave) == (1, 0, [])
    log.note(first, [], 1.0, 0)
    log.note_offload("x", [Record("", [5])], 1.0, 0)
    lost = log.stamp(Sync())
    assert (lost.number, lost.after, lost.gave) == (2, 1, ())
    log.note_offload("y", [Record("", [6])], 1.0, 0)
    second = log.stamp(Sync(end=True))
    assert (second.number, second.after, second.gave) == (3, 1, ["x", "y"])


def test_what_is_sent_again_is_kept_only_once_it_is_acknowledged_again() -> None:
    log = Acknowledged()
    call = log.stamp(Sync([Arrival(5, 2, [(0, b"N")])]))
    log.note(call, [N], 1.0, 0)
    (again,) = log.again(1)
    assert log.again(1) == []
    assert isinstance(again, Sync)
    sent = log.stamp(replace(again, end=True))
    # Nothing is known to be there any more, so an end would need nothing.
    assert (sent.number, sent.after, sent.gave) == (2, 0, [])
    log.note(sent, [N], 9.0, 0)
    assert log.again(1) == [again]


def test_offloads_are_sent_again_in_their_order_with_what_was_accepted() -> None:
    log = Acknowledged()
    pieces = [Record("", [5], [(1, b"N")], 2), Record("", [6], [], 2)]
    log.note(log.stamp(Sync(results=[(1, b"R")])), [], 1.0, 0)
    log.note_offload("x", pieces, 2.0, 0)
    log.note(log.stamp(Sync(results=[(2, b"R")])), [], 3.0, 0)
    log.note_offload("nobody took it", [], 4.0, 0)
    assert log.stamp(Sync(end=True)).gave == ["x"]
    assert log.again(1) == [Sync([], [(1, b"R")]), Gave("x", pieces), Sync([], [(2, b"R")])]


def test_inputs_and_tasks_of_pieces_count_among_what_is_kept() -> None:
    log = Acknowledged()
    half = bytes(acknowledged.BYTES // 2)
    log.note_offload("x", [Record("", [5], [(1, half)])], 1.0, 0)
    log.note_offload("y", [Record("", [5], [(1, half)])], 1.0, 0)
    assert [call.offload for call in log.again(1) if isinstance(call, Gave)] == ["y"]

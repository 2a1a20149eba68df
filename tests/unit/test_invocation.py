"""How starts are spread over invokers, and what Lambda's answers mean."""

from __future__ import annotations

import json
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wukong.invocation.event import invoker_event, read_invoker_event, shares
from wukong.invocation.refusal import BUSY, NO_ANSWER, Refusal, pauses, refusal
from wukong.invocation.spreading import Spreading
from wukong_invoker.sharing import deal, processes


@given(
    records=st.dictionaries(st.text(min_size=1, max_size=40), st.lists(st.integers(0, 2**32), max_size=8), max_size=60),
    invokers=st.integers(1, 8),
    limit=st.integers(300, 2000),
)
def test_shares_hold_each_record_once_in_order_and_fit(
    records: dict[str, list[int]], invokers: int, limit: int
) -> None:
    found = shares("job-1", records, invokers, limit)
    assert [item for share in found for item in share.items()] == list(records.items())
    assert all(share for share in found)
    for share in found:
        assert len(invoker_event("job-1", share)) <= limit or len(share) == 1


def test_shares_are_even_and_no_more_than_invokers_where_they_fit() -> None:
    records = {str(i): [0] for i in range(10)}
    assert [len(share) for share in shares("j", records, 4)] == [3, 3, 2, 2]
    assert [len(share) for share in shares("j", records, 100)] == [1] * 10
    assert shares("j", {}, 4) == []


def test_ten_thousand_records_take_events_of_at_most_256_kib() -> None:
    records = {f"0123456789abcdef-1.{i}": [i, i + 1] for i in range(10_000)}
    events = [invoker_event("a-job", share) for share in shares("a-job", records, 1)]
    assert max(map(len, events)) <= 256 * 1024
    assert len(events) == -(-sum(map(len, events)) // (256 * 1024))


def test_an_event_is_read_as_it_was_written() -> None:
    records = {"0": [1, 2], "1": []}
    assert read_invoker_event(json.loads(invoker_event("job-1", records))) == ("job-1", records)


@pytest.mark.parametrize("event", [{}, {"job": "j"}, {"job": 1, "records": []}, {"job": "j", "records": ["0"]}])
def test_anything_else_is_no_event(event: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="record"):
        read_invoker_event(event)


@pytest.mark.parametrize(
    ("function", "invokers", "threshold", "count", "expected"),
    [
        ("f", 4, 100, 100, 0),
        ("f", 4, 100, 101, 4),
        ("f", 4, 0, 1, 1),
        ("f", 0, 0, 100, 0),
        ("", 4, 0, 100, 0),
    ],
)
def test_invokers_start_what_is_above_the_threshold(
    function: str, invokers: int, threshold: int, count: int, expected: int
) -> None:
    spreading = Spreading(function, invokers, threshold)
    assert len(spreading.shares("j", {str(i): () for i in range(count)})) == expected


def test_a_threshold_that_is_no_number_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="WUKONG_INVOKER_THRESHOLD cannot be used: it is 'many'"):
        Spreading.read({"WUKONG_INVOKER_THRESHOLD": "many"})


def test_answers_of_the_invoke_api() -> None:
    assert refusal(202, "", b"") is None
    busy = refusal(429, "TooManyRequestsException:http://internal", b'{"Message": "Rate exceeded"}')
    assert busy == Refusal("TooManyRequestsException", "Rate exceeded")
    assert busy is not None
    assert busy.passes
    gone = refusal(404, "ResourceNotFoundException", b'{"Message": "no such function"}')
    assert gone is not None
    assert not gone.passes
    gateway = refusal(502, "", b"<html>bad gateway</html>")
    assert gateway is not None
    assert gateway.passes
    assert "bad gateway" in str(gateway)
    assert refusal(403, "", b"[]") == Refusal("status 403", "[]")
    proxys = refusal(429, "", b"slow down")
    assert proxys is not None
    assert proxys.code in BUSY
    for status, passes in [(500, True), (501, False), (502, True), (503, True), (504, True), (413, False)]:
        unknown = refusal(status, "SomethingOfTheirs", b"")
        assert unknown is not None
        assert (unknown.code, unknown.passes) == ("SomethingOfTheirs", passes)
    assert Refusal(NO_ANSWER, "timed out").passes


def test_pauses_grow_and_fit_into_the_time_that_is_left() -> None:
    assert list(pauses(0.5, 4.0)) == [0.5, 1.0, 2.0]
    assert list(pauses(0.5, 0.4)) == []
    assert max(islice(pauses(0.05, 1000.0), 50)) == 5.0
    assert sum(pauses(0.05, 60.0)) <= 60.0


@pytest.mark.parametrize(
    ("memory_mb", "cores", "expected"),
    [(128, 2, 2), (1769, 2, 2), (3538, 2, 2), (5308, 6, 4), (10240, 6, 6), (10240, 4, 4), (512, None, 2), (512, 1, 2)],
)
def test_a_process_for_each_vcpu_and_two_at_least(memory_mb: int, cores: int | None, expected: int) -> None:
    assert processes(memory_mb, cores) == expected


def test_records_are_dealt_in_turn() -> None:
    dealt = deal({str(i): [i] for i in range(5)}, 2)
    assert dealt == [{"0": [0], "2": [2], "4": [4]}, {"1": [1], "3": [3]}]
    assert deal({"0": []}, 4) == [{"0": []}]

"""What a Connection and a Pool promise, against real servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from wukong.errors import ClusterUnavailable
from wukong.redis import Arg, Connection, Gather, MissingKey, Pool, ReplyError, WrongSize


@pytest.fixture(params=[0, 1], ids=["the short way", "by its port"])
def connection(
    request: pytest.FixtureRequest, valkey_addresses: list[str], valkey_password: str
) -> Iterator[Connection]:
    connection = Connection(valkey_addresses[request.param], password=valkey_password)
    yield connection
    connection.close()


def test_arguments_of_every_type_arrive_as_their_bytes(connection: Connection) -> None:
    large = bytes(range(256)) * 256
    stored: dict[str, Arg] = {
        "text": "grüße",
        "bytes": b"\x00\r\n\xff",
        "bytearray": bytearray(b"ab"),
        "view": memoryview(b"xaby")[1:3],
        "int": -17,
        "float": 0.5,
        "empty": b"",
        "large": memoryview(large),
        "gather": Gather([b"head", large, b"", bytearray(b"tail")]),
        "nothing": Gather([]),
    }
    for key, value in stored.items():
        assert connection.call("SET", key, value) == b"OK"
    assert {key: connection.call("GET", key) for key in stored} == {
        "text": "grüße".encode(),
        "bytes": b"\x00\r\n\xff",
        "bytearray": b"ab",
        "view": b"ab",
        "int": b"-17",
        "float": b"0.5",
        "empty": b"",
        "large": large,
        "gather": b"head" + large + b"tail",
        "nothing": b"",
    }


def test_replies_are_plain_values(connection: Connection) -> None:
    assert connection.call("GET", "absent") is None
    assert connection.call("INCR", "n") == 1
    assert connection.call("RPUSH", "list", "a", "b") == 2
    assert connection.call("LRANGE", "list", 0, -1) == [b"a", b"b"]
    assert connection.call("EVAL", "return {1, {'x', {}}, false}", 0) == [1, [b"x", []], None]


def test_an_error_reply_leaves_the_connection_usable(connection: Connection) -> None:
    connection.call("SET", "text", "x")
    with pytest.raises(ReplyError) as caught:
        connection.call("LPUSH", "text", "y")
    assert caught.value.code == "WRONGTYPE"
    assert connection.call("GET", "text") == b"x"


def test_a_pipeline_carries_out_all_and_raises_the_first_error(connection: Connection) -> None:
    with pytest.raises(ReplyError, match="not an integer"):
        connection.pipeline([("SET", "a", "x"), ("INCR", "a"), ("NOCOMMAND",), ("SET", "b", "y")])
    assert connection.pipeline([("GET", "a"), ["GET", "b"]]) == [b"x", b"y"]
    assert connection.pipeline([]) == []


def test_a_pipeline_with_large_requests_and_large_replies_does_not_stall(connection: Connection) -> None:
    blob = os.urandom(1 << 20)
    commands: list[tuple[str | bytes, ...]] = []
    for index in range(24):
        commands += [("SET", f"k{index}", blob), ("GET", f"k{index}")]
    replies = connection.pipeline(commands)
    assert replies == [b"OK", blob] * 24


def test_a_pipeline_of_many_small_commands_takes_one_round_trip(connection: Connection) -> None:
    connection.call("PING")
    before = connection.round_trips
    assert connection.pipeline([("INCR", "n")] * 20_000) == list(range(1, 20_001))
    assert connection.round_trips == before + 1


def test_read_into_fills_each_buffer(connection: Connection) -> None:
    values = {f"k{size}": os.urandom(size) for size in (0, 1, 63, 64, 65, 1000, 70_000, 3_000_000)}
    for key, value in values.items():
        connection.call("SET", key, value)
    whole = bytearray(sum(map(len, values.values())))
    buffers, start = [], 0
    for value in values.values():
        buffers.append(memoryview(whole)[start : start + len(value)])
        start += len(value)
    connection.read_into(list(values), buffers)
    assert whole == b"".join(values.values())
    assert connection.call("PING") == b"PONG"


def test_read_into_reads_more_keys_than_one_window(connection: Connection) -> None:
    connection.pipeline([("SET", f"k{i}", f"{i:04}") for i in range(1000)])
    buffers = [memoryview(bytearray(4)) for _ in range(1000)]
    connection.read_into([f"k{i}" for i in range(1000)], buffers)
    assert [int(bytes(buffer)) for buffer in buffers] == list(range(1000))


def test_read_into_names_the_key_that_is_missing_and_fills_the_others(connection: Connection) -> None:
    connection.call("SET", "a", "1")
    connection.call("SET", "c", "3")
    buffers = [memoryview(bytearray(1)) for _ in range(3)]
    with pytest.raises(MissingKey) as caught:
        connection.read_into(["a", "b", "c"], buffers)
    assert caught.value.key == "b"
    assert [bytes(buffer) for buffer in buffers] == [b"1", b"\x00", b"3"]
    assert connection.call("PING") == b"PONG"


def test_read_into_refuses_values_of_another_length_or_type(connection: Connection) -> None:
    connection.call("SET", "long", b"x" * 100_000)
    connection.call("RPUSH", "list", "x")
    with pytest.raises(WrongSize) as caught:
        connection.read_into(["long", "list"], [memoryview(bytearray(10)), memoryview(bytearray(1))])
    assert (caught.value.key, caught.value.expected, caught.value.found) == ("long", 10, 100_000)
    with pytest.raises(ReplyError, match="WRONGTYPE"):
        connection.read_into(["list"], [memoryview(bytearray(1))])
    assert connection.call("PING") == b"PONG"


def test_a_part_of_a_string_is_read_into_its_buffer(connection: Connection) -> None:
    data = os.urandom(300_000)
    connection.call("SET", "key", data)
    connection.call("SADD", "set", "member")
    for first, count in ((0, 1), (7, 200_000), (299_999, 1), (0, 300_000)):
        buffer = memoryview(bytearray(count))
        connection.read_part_into("key", first, buffer)
        assert buffer == data[first : first + count]
    buffer = memoryview(bytearray(100))
    for key, first, found in (("key", 299_990, 10), ("key", 300_000, 0), ("none", 0, 0)):
        with pytest.raises(WrongSize) as caught:
            connection.read_part_into(key, first, buffer)
        assert (caught.value.key, caught.value.expected, caught.value.found) == (key, 100, found)
    with pytest.raises(ReplyError, match="WRONGTYPE"):
        connection.read_part_into("set", 0, buffer)
    assert connection.call("PING") == b"PONG"


def test_counters_tell_what_moved(connection: Connection) -> None:
    connection.call("PING")
    trips, sent, received = connection.round_trips, connection.bytes_sent, connection.bytes_received
    connection.call("SET", "k", b"x" * 100_000)
    connection.read_into(["k"], [memoryview(bytearray(100_000))])
    assert connection.round_trips - trips == 2
    assert 100_000 < connection.bytes_sent - sent < 100_200
    assert 100_000 < connection.bytes_received - received < 100_200


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_told(valkey_address: str, password: str) -> None:
    connection = Connection(valkey_address, password=password)
    with pytest.raises(ReplyError, match=r"WUKONG_STORE_PASSWORD") as caught:
        connection.call("PING")
    connection.close()
    assert valkey_address in str(caught.value)
    assert caught.value.code in ("WRONGPASS", "NOAUTH")


def test_a_connection_that_the_server_closed_is_made_again(connection: Connection) -> None:
    connection.call("CLIENT", "KILL", "SKIPME", "no", "TYPE", "normal")
    with pytest.raises(ClusterUnavailable):
        connection.call("PING")
    assert connection.call("PING") == b"PONG"


def test_a_forked_child_has_a_connection_of_its_own(connection: Connection) -> None:
    mine = connection.call("CLIENT", "ID")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(connection.call("CLIENT", "ID")).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        theirs = int(answer.read())
    os.waitpid(child, 0)
    assert theirs != mine
    assert connection.call("CLIENT", "ID") == mine


def test_threads_share_a_pool(valkey_address: str, valkey_password: str) -> None:
    pool = Pool(valkey_address, password=valkey_password, size=2)

    def work(number: int) -> bool:
        with pool.connection() as connection:
            connection.call("SET", f"k{number}", number)
            return connection.call("GET", f"k{number}") == b"%d" % number

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(500)))
    with pool.connection() as connection, pool.connection() as other:
        assert connection is not other
    assert pool.counters().round_trips >= 1000
    pool.close()
    assert pool.counters().round_trips >= 1000

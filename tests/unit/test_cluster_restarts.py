from __future__ import annotations

from pathlib import Path

from wukong.cluster.restarts import FORGIVEN_SECONDS, MOST, Restarts
from wukong.cluster.whereabouts import Place, Whereabouts


def test_a_part_that_ends_now_and_then_is_started_again_at_once_for_ever() -> None:
    restarts = Restarts()
    assert [restarts.ended(60.0) for _ in range(100)] == [0.0] * 100


def test_a_part_that_ends_again_and_again_is_started_ever_later_and_then_given_up() -> None:
    restarts = Restarts()
    pauses = [restarts.ended(0.0) for _ in range(MOST + 1)]
    assert pauses[-1] is None
    told = [pause for pause in pauses if pause is not None]
    assert told == sorted(told)
    assert told[0] == 0.0
    assert 0.5 < told[-1] <= 2.0


def test_time_that_a_part_ran_makes_up_for_its_ends() -> None:
    restarts = Restarts()
    for _ in range(MOST):
        assert restarts.ended(0.0) is not None
    assert restarts.ended(FORGIVEN_SECONDS) is not None
    assert restarts.ended(FORGIVEN_SECONDS / 2) is None


def test_whereabouts_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "parts.json"
    told = Whereabouts(path, {"mds": Place("127.0.0.1:7", 12)}, ("kvs-0", "no room"))
    told.write()
    assert Whereabouts.read(path) == told
    assert [entry.name for entry in tmp_path.iterdir()] == ["parts.json"]


def test_a_part_listens_where_it_did_before(tmp_path: Path) -> None:
    told = Whereabouts.read(tmp_path / "none.json")
    assert told.listen("proxy", "127.0.0.1:0") == "127.0.0.1:0"
    told.places["proxy"] = Place("127.0.0.1:5")
    assert told.listen("proxy", "127.0.0.1:0") == "127.0.0.1:5"

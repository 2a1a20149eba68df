import re
from typing import Any

import pytest

from wukong import Client


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WUKONG_ADDRESS", raising=False)
    monkeypatch.delenv("WUKONG_TOKEN", raising=False)


def test_without_an_address_the_error_says_where_to_give_one() -> None:
    with pytest.raises(ValueError, match="pass a LocalCluster or 'host:port', or set WUKONG_ADDRESS"):
        Client()


@pytest.mark.parametrize(
    "address", ["localhost", ":80", "localhost:", "localhost:http", "localhost:0", "h:70000", "tcp://h:1"]
)
def test_a_malformed_address_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError, match="is not of the form host:port"):
        Client(address, token="t")


def test_without_a_token_the_error_says_where_to_give_one() -> None:
    with pytest.raises(ValueError, match="no token for localhost:80: pass token"):
        Client("localhost:80")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"address": 5}, "the address is 5; it must be a LocalCluster, 'host:port', or None"),
        ({"token": 5}, "the token is of the type int; it must be a text"),
        ({"timeout": "x"}, "timeout is 'x'; it must be a number of seconds above 0"),
        ({"timeout": None}, "timeout is None; it must be"),
        ({"timeout": 0}, "timeout is 0; it must be"),
        ({"by_value": None}, "by_value is None; it must be 'auto' or a list of modules' names"),
    ],
)
def test_other_malformed_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Client(**{"address": "localhost:1", "token": "t", **arguments})


def test_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WUKONG_ADDRESS", "nowhere")
    with pytest.raises(ValueError, match="the address 'nowhere' is not"):
        Client()

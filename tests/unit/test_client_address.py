import pytest

from wukong import Client


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WUKONG_ADDRESS", raising=False)
    monkeypatch.delenv("WUKONG_TOKEN", raising=False)


def test_without_an_address_the_error_says_where_to_give_one() -> None:
    with pytest.raises(ValueError, match="pass a LocalCluster or 'host:port', or set WUKONG_ADDRESS"):
        Client()


@pytest.mark.parametrize("address", ["localhost", ":80", "localhost:", "localhost:http", "localhost:0", "h:70000"])
def test_a_malformed_address_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError, match="is not of the form host:port"):
        Client(address, token="t")


def test_without_a_token_the_error_says_where_to_give_one() -> None:
    with pytest.raises(ValueError, match="no token for localhost:80: pass token"):
        Client("localhost:80")


def test_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WUKONG_ADDRESS", "nowhere")
    with pytest.raises(ValueError, match="the address 'nowhere' is not"):
        Client()

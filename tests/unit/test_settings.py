"""Secrets come from the environment or from a file that it names, and a missing one is told."""

from pathlib import Path

import pytest

from wukong import settings

SECRETS = [value for value in vars(settings).values() if isinstance(value, settings.Variable) and value.secret]


def test_the_secrets_are_these() -> None:
    assert {secret.name for secret in SECRETS} == {"WUKONG_TOKEN", "WUKONG_SIGNING_KEY", "WUKONG_STORE_PASSWORD"}


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_a_secret_is_read_from_its_file_without_the_line_end(secret: settings.Variable, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    assert secret.get({f"{secret.name}_FILE": str(path)}) == "s3cret"
    assert secret.find({f"{secret.name}_FILE": str(path)}) == "s3cret"


def test_the_variable_itself_comes_before_its_file() -> None:
    assert settings.TOKEN.get({"WUKONG_TOKEN": "t", "WUKONG_TOKEN_FILE": "/there/is/none"}) == "t"


def test_a_file_that_cannot_be_read_is_told() -> None:
    with pytest.raises(KeyError, match="WUKONG_TOKEN_FILE is '/there/is/none', which cannot be read: No such file"):
        settings.TOKEN.get({"WUKONG_TOKEN_FILE": "/there/is/none"})


def test_what_is_no_secret_is_never_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "address"
    path.write_text("elsewhere:1")
    with pytest.raises(KeyError, match="WUKONG_MDS_ADDRESS is not set: host:port"):
        settings.MDS_ADDRESS.get({"WUKONG_MDS_ADDRESS_FILE": str(path)})
    assert settings.LISTEN.find({}) == ""
    assert settings.LISTEN.get({}) == "127.0.0.1:0"

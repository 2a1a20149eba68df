"""Environment variables: what is said of those that cannot be used, and secrets that come from files."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from wukong import settings
from wukong.errors import InvalidSetting
from wukong.invocation.spreading import Spreading
from wukong.kvs.access import Access
from wukong_executor.environment import Environment
from wukong_scheduler.config import Config

GOOD = {
    "WUKONG_MDS_ADDRESS": "localhost:1",
    "WUKONG_TOKEN": "token",
    "WUKONG_SIGNING_KEY": "00" * 16,
    "WUKONG_PROXY_ADDRESS": "localhost:2",
}


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("WUKONG_TOKEN", "", "it is not set: bearer token of every gRPC call"),
        ("WUKONG_SIGNING_KEY", "no", "it must be 16 bytes or more, two hexadecimal digits each"),
        ("WUKONG_SIGNING_KEY", "00ff", "it must be 16 bytes or more"),
        ("WUKONG_LEASE_SECONDS", "abc", "it is 'abc', and must be a number above 0: seconds after which a silent"),
        ("WUKONG_LEASE_SECONDS", "-1", "it is '-1', and must be a number above 0"),
        ("WUKONG_DEADLINE_SECONDS", "nan", "it is 'nan', and must be a number above 0"),
        ("WUKONG_KEEP_SECONDS", "inf", "it is 'inf', and must be a number above 0"),
        ("WUKONG_PARALLELISM", "0", "it is '0', and must be a whole number from 1 on: executors of one job"),
        ("WUKONG_PARALLELISM", "1.5", "it is '1.5', and must be a whole number from 1 on"),
        ("WUKONG_MAX_DEATHS", "x", "it is 'x', and must be a whole number from 1 on"),
        ("WUKONG_INVOKERS", "x", "it is 'x', and must be a whole number from 0 on"),
        ("WUKONG_STRIPE_BYTES", "0", "it is '0', and must be a whole number from 1 on"),
        ("WUKONG_POLICY", "mine", "there is no policy 'mine'; the policies are"),
        ("WUKONG_PRICES", "cheap", "prices are x86_64 or arm64"),
        ("WUKONG_LIMITS", "{", "limits are a JSON object with keys among"),
        ("WUKONG_EXECUTOR_RUNTIME", "{", "Write the manifest with"),
    ],
)
def test_what_the_scheduler_cannot_use_is_named_with_what_it_must_be(variable: str, value: str, says: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Config.read({**GOOD, variable: value})
    assert str(caught.value).startswith(f"the environment variable {variable} cannot be used: ")
    assert says in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).variable == variable


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WUKONG_BEAT_SECONDS", "0"),
        ("WUKONG_MAX_TASK_FANOUT", "0"),
        ("WUKONG_LARGE_BYTES", "1e6"),
        ("WUKONG_MDS_ADDRESS", ""),
    ],
)
def test_what_an_executor_cannot_use_is_named(variable: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=variable):
        Environment({**GOOD, variable: value})


def test_the_defaults_can_be_used() -> None:
    Config.read(GOOD)
    Access.read({})
    Spreading.read({})


@pytest.mark.parametrize("part", ["wukong_scheduler", "wukong_kvs_proxy", "wukong_kvs_node"])
def test_a_part_that_cannot_start_says_so_in_one_line(part: str) -> None:
    told = {name: value for name, value in os.environ.items() if not name.startswith("WUKONG_")}
    for variable, value in (("WUKONG_TOKEN", ""), ("WUKONG_LOG_LEVEL", "loud")):
        found = subprocess.run(
            [sys.executable, "-m", part],
            env={**told, **GOOD, "WUKONG_NODE_ID": "a", "WUKONG_NODE_REDIS_ADDRESS": "localhost:3", variable: value},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert found.returncode == 1
        assert found.stderr.startswith(f"{part}: the environment variable {variable} cannot be used: ")
        assert len(found.stderr.splitlines()) == 1


SECRETS = [value for value in vars(settings).values() if isinstance(value, settings.Variable) and value.secret]


def test_the_secrets_are_these() -> None:
    assert {secret.name for secret in SECRETS} == {
        "WUKONG_TOKEN",
        "WUKONG_SIGNING_KEY",
        "WUKONG_STORE_PASSWORD",
        "WUKONG_CLIENT_STORE_PASSWORD",
    }


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_a_secret_is_read_from_its_file_without_the_line_end(secret: settings.Variable, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    assert secret.get({f"{secret.name}_FILE": str(path)}) == "s3cret"
    assert secret.find({f"{secret.name}_FILE": str(path)}) == "s3cret"


def test_the_variable_itself_comes_before_its_file() -> None:
    assert settings.TOKEN.get({"WUKONG_TOKEN": "t", "WUKONG_TOKEN_FILE": "/there/is/none"}) == "t"


def test_a_file_that_cannot_be_read_is_told() -> None:
    with pytest.raises(InvalidSetting, match=r"WUKONG_TOKEN_FILE cannot be used: .* cannot be read: No such file"):
        settings.TOKEN.get({"WUKONG_TOKEN_FILE": "/there/is/none"})


def test_what_is_no_secret_is_never_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "address"
    path.write_text("elsewhere:1")
    with pytest.raises(InvalidSetting, match="WUKONG_MDS_ADDRESS cannot be used: it is not set: host:port"):
        settings.MDS_ADDRESS.get({"WUKONG_MDS_ADDRESS_FILE": str(path)})
    assert settings.LISTEN.find({}) == ""
    assert settings.LISTEN.get({}) == "127.0.0.1:0"

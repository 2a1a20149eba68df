"""What each keyword of the published LocalCluster means, row by row, and that the documentation says the same."""

from __future__ import annotations

import dataclasses
import pickle
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import wukong
from wukong.cluster import local
from wukong.cluster.plan import Plan
from wukong.cluster.published import OPTIONS, Modern, Option, translate
from wukong.errors import ClusterUnavailable, LegacyOptionWarning
from wukong.kvs.striping import Striping

PAGE = Path(__file__).parents[2] / "docs/published-keywords.md"
MIB = 1 << 20


class Case(NamedTuple):
    """Options, what they change of what is without any, and which of them are warned about."""

    options: dict[str, Any]
    changed: dict[str, Any]
    warned: tuple[str, ...] = ()


CASES = [
    Case({"host": "127.0.0.1:8786"}, {"listen": "127.0.0.1:8786"}),
    Case({"host": "localhost"}, {"listen": "localhost:0"}),
    Case({"host": "127.1.2.3:0"}, {"listen": "127.1.2.3:0"}),
    Case({"host": "tcp://127.0.0.1:8786"}, {"listen": "127.0.0.1:8786"}),
    Case({"host": "10.0.88.131:8786"}, {"listen": "127.0.0.1:8786"}, ("host",)),
    Case({"host": "0.0.0.0"}, {"listen": "127.0.0.1:0"}, ("host",)),
    Case({"host": "ec2-1-2-3-4.compute-1.amazonaws.com:80"}, {"listen": "127.0.0.1:80"}, ("host",)),
    Case({"host": "[::1]:80"}, {"listen": "127.0.0.1:80"}, ("host",)),
    Case({"proxy_address": "127.0.0.1", "proxy_port": 8989}, {"proxy_listen": "127.0.0.1:8989"}),
    Case({"proxy_address": "10.0.88.131", "proxy_port": 8989}, {"proxy_listen": "127.0.0.1:8989"}, ("proxy_address",)),
    Case({"proxy_address": "localhost:7"}, {"proxy_listen": "localhost:7"}),
    Case({"proxy_port": 8989}, {"proxy_listen": "127.0.0.1:8989"}),
    Case({"num_lambda_invokers": 4}, {"invokers": 4}),
    Case({"use_invoker_lambdas_threshold": 10_000}, {"invoker_threshold": 10_000}),
    Case({"use_invoker_lambdas_threshold": 0}, {"invoker_threshold": 0}),
    Case({"force_use_invoker_lambdas": True, "use_invoker_lambdas_threshold": 9}, {"invoker_threshold": 0}),
    Case({"force_use_invoker_lambdas": False, "use_invoker_lambdas_threshold": 9}, {"invoker_threshold": 9}),
    Case({"max_task_fanout": 330}, {"max_task_fanout": 330}),
    Case({"big_task_threshold": 200_000_000}, {"large_bytes": 200_000_000}),
    Case({"chunk_large_tasks": True}, {}),
    Case({"chunk_large_tasks": False}, {"striping": Striping(512 * MIB)}),
    Case(
        {"chunk_large_tasks": True, "big_task_threshold": 5 * MIB},
        {"large_bytes": 5 * MIB, "striping": Striping(5 * MIB)},
    ),
    Case(
        {"chunk_large_tasks": False, "big_task_threshold": 5 * MIB},
        {"large_bytes": 5 * MIB, "striping": Striping(512 * MIB)},
    ),
    Case({"chunk_large_tasks": True, "num_chunks_for_large_tasks": 7}, {"striping": Striping(16 * MIB, 7)}),
    Case({"num_chunks_for_large_tasks": 7}, {}, ("num_chunks_for_large_tasks",)),
    Case(
        {"num_chunks_for_large_tasks": 7, "chunk_large_tasks": False},
        {"striping": Striping(512 * MIB)},
        ("num_chunks_for_large_tasks",),
    ),
    Case({"executors_use_task_queue": True}, {}),
    Case({"executors_use_task_queue": False}, {}, ("executors_use_task_queue",)),
    Case({"use_bit_dep_checking": True}, {}),
    Case({"use_bit_dep_checking": False}, {}, ("use_bit_dep_checking",)),
    Case({"n_workers": 0}, {}),
    Case({"n_workers": 3}, {}, ("n_workers",)),
    Case({"use_local_proxy": True}, {}),
    Case({"use_local_proxy": False}, {}, ("use_local_proxy",)),
    Case({"local_proxy_path": "/home/ec2-user/Wukong/KV Store Proxy/proxy.py"}, {}, ("local_proxy_path",)),
    Case({"local_proxy_path": Path("proxy.py")}, {}, ("local_proxy_path",)),
    Case({"redis_endpoints": [("127.0.0.1", 6379)]}, {"endpoints": ("127.0.0.1:6379",)}),
    Case({"redis_endpoints": (["a", 1], ["a", 2])}, {"endpoints": ("a:1", "a:2")}),
    Case({"use_fargate": False}, {}),
    Case({"use_fargate": True}, {}, ("use_fargate",)),
    Case({"num_fargate_nodes": 3}, {"kvs_nodes": 3}),
    Case({"use_fargate": True, "num_fargate_nodes": 3}, {"kvs_nodes": 3}, ("use_fargate",)),
    Case({"use_fargate": False, "num_fargate_nodes": 3}, {}, ("num_fargate_nodes",)),
    Case({"redis_endpoints": [("a", 1)], "num_fargate_nodes": 3}, {"endpoints": ("a:1",)}, ("num_fargate_nodes",)),
    Case({"ecs_cluster_name": "WukongFargateStorage"}, {}, ("ecs_cluster_name",)),
    Case({"ecs_task_definition": "WukongRedisNode:1"}, {}, ("ecs_task_definition",)),
    Case({"ecs_network_configuration": {"awsvpcConfiguration": {}}}, {}, ("ecs_network_configuration",)),
    Case({"reuse_existing_fargate_tasks_on_startup": False}, {}),
    Case({"reuse_existing_fargate_tasks_on_startup": True}, {}, ("reuse_existing_fargate_tasks_on_startup",)),
    Case({"aws_region": "eu-west-3"}, {"region": "eu-west-3"}),
    Case({"use_fargate": True, "wukong_config_path": "environments/dev"}, {"root": "environments/dev"}),
    Case(
        {
            "use_fargate": True,
            "wukong_config_path": Path("environments/dev"),
            "num_fargate_nodes": 3,
            "ecs_cluster_name": "wukong-dev",
            "aws_region": "eu-west-3",
            "reuse_existing_fargate_tasks_on_startup": True,
            "ecs_task_definition": "WukongRedisNode:1",
            "n_workers": 0,
        },
        {"root": "environments/dev", "kvs_nodes": 3, "region": "eu-west-3"},
        ("ecs_task_definition", "n_workers"),
    ),
    Case(
        {"use_fargate": False, "wukong_config_path": "environments/dev"},
        {},
        ("wukong_config_path",),
    ),
    Case(
        {"use_fargate": True, "wukong_config_path": "wukong-config.yaml"},
        {},
        ("use_fargate", "wukong_config_path"),
    ),
    Case({"reuse_lambdas": True}, {}),
    Case({"reuse_lambdas": False}, {}, ("reuse_lambdas",)),
    Case({"wukong_config_path": "/home/ec2-user/wukong-config.yaml"}, {}, ("wukong_config_path",)),
    Case({"print_debug": True}, {"log_level": "DEBUG"}),
    Case({"print_debug": False}, {}),
    Case({"print_debug": True, "print_level": 1}, {"log_level": "DEBUG"}),
    Case({"print_debug": True, "print_level": 2}, {}),
    Case({"print_debug": True, "print_level": 3}, {"log_level": "WARNING"}),
    Case({"print_level": 3}, {}, ("print_level",)),
    Case({"debug_mode": True}, {"log_level": "DEBUG"}),
    Case({"debug_mode": True, "print_debug": True, "print_level": 3}, {"log_level": "DEBUG"}),
    Case({"debug_mode": False}, {}),
    Case({"lambda_debug": True}, {"executor_log_level": "DEBUG"}),
    Case({"lambda_debug": False}, {}),
]

WRONG: dict[str, list[Any]] = {
    "host": [8786, "", ":80", "127.0.0.1:http", "127.0.0.1:65536", "::1"],
    "proxy_address": [1, ":80", "127.0.0.1:x"],
    "proxy_port": ["8989", -1, 65536, True],
    "num_lambda_invokers": [0, 1.5, "4"],
    "use_invoker_lambdas_threshold": [-1, "many"],
    "force_use_invoker_lambdas": [1],
    "max_task_fanout": [0],
    "big_task_threshold": [0, 1e6],
    "chunk_large_tasks": ["no"],
    "num_chunks_for_large_tasks": [0],
    "executors_use_task_queue": [0],
    "use_bit_dep_checking": [0],
    "n_workers": [-1, "2"],
    "use_local_proxy": ["yes"],
    "local_proxy_path": [3],
    "redis_endpoints": [
        [],
        "127.0.0.1:6379",
        ["127.0.0.1:6379"],
        [("127.0.0.1",)],
        [("127.0.0.1", "6379")],
        [("127.0.0.1", 0)],
        [("", 6379)],
        [("a", 1), ("a", 1)],
    ],
    "use_fargate": [1],
    "num_fargate_nodes": [0],
    "ecs_cluster_name": [1],
    "ecs_task_definition": [""],
    "ecs_network_configuration": ["subnet"],
    "reuse_existing_fargate_tasks_on_startup": [1],
    "aws_region": [""],
    "reuse_lambdas": [1],
    "wukong_config_path": [1],
    "print_debug": [1],
    "print_level": [0, 4, True],
    "debug_mode": [1],
    "lambda_debug": [1],
}

#: The issue's own list.
PUBLISHED = """host, proxy_address, proxy_port, num_lambda_invokers, chunk_large_tasks, num_chunks_for_large_tasks,
n_workers, use_local_proxy, local_proxy_path, redis_endpoints, use_fargate, num_fargate_nodes, max_task_fanout,
use_invoker_lambdas_threshold, force_use_invoker_lambdas, big_task_threshold, executors_use_task_queue,
use_bit_dep_checking, aws_region, ecs_cluster_name, ecs_task_definition, ecs_network_configuration,
reuse_existing_fargate_tasks_on_startup, reuse_lambdas, wukong_config_path, lambda_debug, print_debug, print_level,
debug_mode"""


def _shown(case: Case) -> str:
    return ",".join(f"{name}={value}" for name, value in case.options.items())


def test_every_published_keyword_has_one_row() -> None:
    assert sorted(option.name for option in OPTIONS) == sorted(re.findall(r"\w+", PUBLISHED))


def test_every_row_has_cases_right_and_wrong() -> None:
    names = {option.name for option in OPTIONS}
    assert {name for case in CASES for name in case.options} == names
    assert set(WRONG) == names


@pytest.mark.parametrize("case", CASES, ids=_shown)
def test_the_meaning(case: Case) -> None:
    meant = translate(case.options)
    assert dataclasses.replace(meant, warnings=()) == Modern(**case.changed)
    assert tuple(warning.option for warning in meant.warnings) == case.warned


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_row_is_heeded_changes_something_or_says_that_it_has_no_effect(option: Option) -> None:
    cases = [case for case in CASES if option.name in case.options]
    heeded = any(option.name not in case.warned for case in cases)
    assert heeded or option.now.startswith("No effect")
    if any(option.name in case.warned for case in cases) and option.name not in ("host", "proxy_address"):
        assert "no effect" in option.now.lower()
    if "no effect" not in option.now.lower():
        assert any(case.changed for case in cases)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_none_is_as_not_given(option: Option) -> None:
    assert translate({option.name: None}) == Modern()


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values], ids=str
)
def test_a_wrong_value_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is {re.escape(repr(value))}; it must be "):
        translate({name: value})


def test_a_port_is_given_once() -> None:
    with pytest.raises(ValueError, match=r"proxy_address is '127\.0\.0\.1:1', and its port is given beside it too"):
        translate({"proxy_address": "127.0.0.1:1", "proxy_port": 2})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("nworkers", "n_workers"), ("redis_endpoint", "redis_endpoints"), ("enviroments", "environments"), ("x", "")],
)
def test_an_unknown_keyword_is_told_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(TypeError, match=rf"no keyword '{name}'; the nearest is '{nearest}"):
        wukong.LocalCluster(**{name: 1})


def test_the_warning_says_what_was_given_and_what_is_now() -> None:
    (warning,) = translate({"n_workers": 3}).warnings
    (row,) = (option for option in OPTIONS if option.name == "n_workers")
    assert str(warning) == f"LocalCluster(n_workers=3): {row.now}"
    copy = pickle.loads(pickle.dumps(warning))
    assert (str(copy), copy.option, copy.value) == (str(warning), "n_workers", 3)
    assert issubclass(LegacyOptionWarning, UserWarning)


def _no_process(*_: object) -> None:
    raise InterruptedError("here a process would be started")


def test_the_cluster_warns_once_for_each_option_at_the_callers_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "Supervisor", _no_process)
    with pytest.warns(LegacyOptionWarning) as caught, pytest.raises(InterruptedError):
        wukong.LocalCluster("10.0.0.1:1", n_workers=2, local_proxy_path="proxy.py", use_fargate=False)
    told = [warning.message.option for warning in caught if isinstance(warning.message, LegacyOptionWarning)]
    assert sorted(told) == ["host", "local_proxy_path", "n_workers"]
    assert {warning.filename for warning in caught} == {__file__}


def test_the_plan_says_what_the_options_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []

    def keep(plan: Plan, _: object) -> None:
        plans.append(plan)
        shutil.rmtree(plan.folder)
        raise InterruptedError

    monkeypatch.setattr(local, "Supervisor", keep)
    wanted = {
        "listen": ("host", "127.0.0.1:8786"),
        "proxy_listen": ("proxy_address", "127.0.0.1:8989"),
        "kvs_nodes": ("num_fargate_nodes", 3),
        "invokers": ("num_lambda_invokers", 4),
        "invoker_threshold": ("use_invoker_lambdas_threshold", 100),
        "max_task_fanout": ("max_task_fanout", 330),
        "large_bytes": ("big_task_threshold", 3 * MIB),
        "region": ("aws_region", "eu-west-3"),
    }
    flags = {"chunk_large_tasks": True, "num_chunks_for_large_tasks": 7, "debug_mode": True, "lambda_debug": True}
    with pytest.raises(InterruptedError):
        wukong.LocalCluster(**dict(wanted.values()), **flags)
    with pytest.raises(InterruptedError):
        wukong.LocalCluster()
    said, plain = plans
    assert {name: getattr(said, name) for name in wanted} == {name: value for name, (_, value) in wanted.items()}
    assert (said.stripe_bytes, said.stripes) == (3 * MIB, 7)
    assert (said.log_level, said.executor_log_level) == ("DEBUG", "DEBUG")
    assert (said.endpoints, said.kvs_namespace) == ((), "")
    assert (plain.listen, plain.proxy_listen, plain.kvs_nodes) == ("127.0.0.1:0", "127.0.0.1:0", 1)
    assert (plain.stripe_bytes, plain.stripes, plain.log_level) == (16 * MIB, 0, "INFO")


@pytest.mark.parametrize("published", [{"num_fargate_nodes": 3}, {"redis_endpoints": [("127.0.0.1", 1)]}], ids=str)
def test_kvs_nodes_are_given_once(published: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="kvs_nodes is 2, but a published keyword gives the KVS nodes"):
        wukong.LocalCluster(kvs_nodes=2, **published)


def test_an_endpoint_that_does_not_answer_is_named_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "Supervisor", _no_process)
    monkeypatch.setattr(local, "_folder", _no_process)
    with pytest.raises(
        ClusterUnavailable, match=r"the Redis endpoint 127\.0\.0\.1:1 cannot be a KVS node: cannot conn"
    ):
        wukong.LocalCluster(redis_endpoints=[("127.0.0.1", 1)])


def test_the_documentation_has_the_same_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| `(.+?)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(option.name, option.kind.name, option.default, option.now) for option in OPTIONS]

"""What each part of an embedded cluster is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from wukong.cluster.plan import FAILURES, PRELOAD, Plan, children_environ, preload
from wukong.cluster.roles import Role
from wukong.kvs.access import Access
from wukong.kvs.striping import Striping


def _plan(**others: object) -> Plan:
    options = {
        "listen": "127.0.0.1:0",
        "proxy_listen": "127.0.0.1:0",
        "folder": "/tmp/x",
        "store_program": "/bin/valkey",
        "store_sockets": True,
        "environments": 4,
        "threads": 2,
        "memory_mb": 512,
        "kvs_nodes": 2,
        "kvs_memory_mb": None,
        "endpoints": (),
        "kvs_namespace": "",
        "stripe_bytes": 1 << 24,
        "stripes": 0,
        "region": "us-east-1",
        "log_level": "INFO",
        "executor_log_level": "INFO",
        "timeout": 60,
        "deliveries": 1,
        "chaos": {"seed": 3, "duplicate": 0.5},
        "latency": {},
        "lease_seconds": 2.5,
        "startup_timeout": 30,
        "policy": "wukong2020",
        "large_bytes": None,
        "preload": ("numpy",),
        "path": ("/a", "/b"),
        "token": "the-token",
        "store_passwords": {role: f"the-password-of-{role}" for role in Role},
        "signing_key": "00ff",
        **others,
    }
    return Plan(**options)  # type: ignore[arg-type]


def test_survives_json_on_one_line() -> None:
    text = _plan(folder="/tmp/with\nnewline").to_json()
    assert "\n" not in text
    assert Plan.from_json(text) == _plan(folder="/tmp/with\nnewline")


def test_one_store_each_for_metadata_and_node() -> None:
    assert _plan(kvs_nodes=3).stores() == ["mds", "kvs-0", "kvs-1", "kvs-2"]


def test_endpoints_are_the_nodes_and_nothing_is_started_for_them() -> None:
    plan = _plan(endpoints=("a:1", "b:2", "c:3"), kvs_namespace="5f1c02aa:")
    assert plan.stores() == ["mds"]
    assert plan.nodes() == ["kvs-0", "kvs-1", "kvs-2"]
    assert Plan.from_json(plan.to_json()) == plan


def _executors(plan: Plan) -> dict[str, str]:
    functions = json.loads(plan.emulator("e:1", "/z", "m:1", "p:1", ["m:1"])["WUKONG_FUNCTIONS"])
    return dict(functions["wukong-executor"]["environment"])


#: What each part is told.
PARTS: Mapping[Role, Callable[[Plan], dict[str, str]]] = {
    Role.PROXY: lambda plan: plan.proxy("m:1", "http://e:1"),
    Role.NODE: lambda plan: plan.node("kvs-0", "s:1", "p:1"),
    Role.SCHEDULER: lambda plan: plan.scheduler("m:1", "p:1", "http://e:1", "q"),
    Role.EXECUTOR: _executors,
}


def test_all_are_told_how_the_nodes_are_asked() -> None:
    plan = _plan(stripe_bytes=5 << 20, stripes=3)
    shared = _plan(endpoints=("a:1",), kvs_namespace="5f1c02aa:")
    for role, told in PARTS.items():
        assert Access.read(told(plan)) == Access(f"the-password-of-{role}", "", Striping(5 << 20, 3), role)
        assert Access.read(told(shared)) == Access("", "5f1c02aa:", Striping())
        assert told(shared)["WUKONG_STORE_PASSWORD"] == f"the-password-of-{role}"
        assert told(shared)["WUKONG_STORE_USER"] == role


def test_nobody_is_told_the_password_of_another_role() -> None:
    for role, told in PARTS.items():
        theirs = {Role.SCHEDULER: {role, Role.CLIENT}}.get(role, {role})
        text = json.dumps(told(_plan()))
        assert {one for one in Role if f"the-password-of-{one}" in text} == theirs
    assert "the-password-of" not in "".join(_plan().users("mds") + _plan().users("kvs-0"))


def test_only_the_proxy_listens_where_it_was_told() -> None:
    plan = _plan(proxy_listen="127.0.0.1:8989")
    assert plan.proxy("m:1", "http://e:1")["WUKONG_LISTEN"] == "127.0.0.1:8989"
    assert plan.scheduler("m:1", "p:1", "http://e:1", "q")["WUKONG_LISTEN"] == "127.0.0.1:0"
    assert plan.node("kvs-0", "s:1", "p:1")["WUKONG_LISTEN"] == "127.0.0.1:0"


def test_functions_are_told_the_region_and_how_much_to_log() -> None:
    plan = _plan(region="eu-west-3", executor_log_level="DEBUG")
    executors = _executors(plan)
    assert (executors["AWS_REGION"], executors["AWS_DEFAULT_REGION"]) == ("eu-west-3", "eu-west-3")
    assert executors["WUKONG_LOG_LEVEL"] == "DEBUG"
    assert plan.emulator("e:1", "/z", "m:1", "p:1", ["m:1"])["AWS_REGION"] == "eu-west-3"


def test_services_share_the_secrets() -> None:
    plan = _plan()
    for environ in (
        plan.proxy("m:1", "http://e:1"),
        plan.node("kvs-0", "s:1", "p:1"),
        plan.scheduler("m:1", "p:1", "http://e:1", "q"),
    ):
        assert environ["WUKONG_TOKEN"] == "the-token"
        assert environ["WUKONG_SIGNING_KEY"] == "00ff"
        assert environ["WUKONG_LISTEN"] == "127.0.0.1:0"


def test_only_the_scheduler_listens_where_the_user_said() -> None:
    plan = _plan(listen="127.0.0.1:8786")
    assert plan.scheduler("m:1", "p:1", "http://e:1", "q")["WUKONG_LISTEN"] == "127.0.0.1:8786"
    assert plan.proxy("m:1", "http://e:1")["WUKONG_LISTEN"] == "127.0.0.1:0"


def test_executors_are_told_where_everything_is() -> None:
    environ = _plan().emulator("127.0.0.1:9001", "/tmp/x/zygote", "m:1", "p:1", ["m:1", "s:1"])
    assert environ["WUKONG_LISTEN"] == "127.0.0.1:9001"
    assert environ["WUKONG_ZYGOTE_SOCKET"] == "/tmp/x/zygote"
    functions = json.loads(environ["WUKONG_FUNCTIONS"])
    function = functions["wukong-executor"]
    variables = function.pop("environment")
    assert variables["WUKONG_EXECUTOR_FUNCTION"] == "wukong-executor"
    assert function == {
        "handler": "wukong_executor.handler.handler",
        "memory_mb": 512,
        "timeout": 60,
        "deliveries": 1,
        "chaos": {"seed": 3, "duplicate": 0.5},
        "concurrency": 4,
        "stores": ["m:1", "s:1"],
        "on_failure": FAILURES,
    }
    assert variables["WUKONG_LAMBDA_ENDPOINT"] == "http://127.0.0.1:9001"
    assert variables["WUKONG_MDS_ADDRESS"] == "m:1"
    assert variables["WUKONG_PROXY_ADDRESS"] == "p:1"
    assert variables["OPENBLAS_NUM_THREADS"] == "2"
    assert variables["WUKONG_PARALLELISM"] == "4"
    assert variables["WUKONG_LEASE_SECONDS"] == "2.5"
    assert variables["WUKONG_TOKEN"] == "the-token"


def test_invokers_have_environments_of_their_own_and_no_secrets() -> None:
    environ = _plan(invokers=3, invoker_threshold=7).emulator("127.0.0.1:9001", "/tmp/x/zygote", "m:1", "p:1", [])
    functions = json.loads(environ["WUKONG_FUNCTIONS"])
    told = functions["wukong-executor"]["environment"]
    assert (told["WUKONG_INVOKER_FUNCTION"], told["WUKONG_INVOKERS"]) == ("wukong-invoker", "3")
    assert told["WUKONG_INVOKER_THRESHOLD"] == "7"
    invoker = functions["wukong-invoker"]
    assert (invoker["handler"], invoker["concurrency"], invoker["warm"]) == ("wukong_invoker.handler.handler", 3, 0)
    assert not {"the-token", "00ff"} & set(invoker["environment"].values())
    assert "the-password" not in json.dumps(invoker)


def test_a_cluster_without_invokers_has_no_function_for_them() -> None:
    plan = _plan(invokers=0)
    environ = plan.emulator("127.0.0.1:9001", "/tmp/x/zygote", "m:1", "p:1", [])
    assert list(json.loads(environ["WUKONG_FUNCTIONS"])) == ["wukong-executor"]
    assert plan.scheduler("m:1", "p:1", "http://e:1", "q")["WUKONG_INVOKER_FUNCTION"] == ""


def test_latency_goes_to_the_emulator_and_the_beat_is_a_few_invocations() -> None:
    for latency, beat in ({}, "0.02"), ({"invoke_seconds": 0.05, "store_seconds": 0.001}, "0.2"):
        environ = _plan(latency=latency).emulator("127.0.0.1:9001", "/tmp/x/zygote", "m:1", "p:1", [])
        function = json.loads(environ["WUKONG_FUNCTIONS"])["wukong-executor"]
        assert {name: value for name, value in function.items() if name in latency} == latency
        assert function["environment"]["WUKONG_BEAT_SECONDS"] == beat


def test_threads_are_limited_and_the_zygotes_to_one() -> None:
    environ = children_environ({}, 4)
    assert {environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")} == {"4"}
    assert environ["OPENBLAS_NUM_THREADS"] == "1"


@pytest.mark.parametrize(("users", "expected"), [("2", "2"), ("16", "4"), ("0", "4"), ("many", "4")])
def test_lower_thread_limit_of_the_user_stays(users: str, expected: str) -> None:
    environ = children_environ({"OMP_NUM_THREADS": users}, 4)
    assert environ["OMP_NUM_THREADS"] == expected


def test_users_credentials_and_settings_stay_with_the_user() -> None:
    users = {"AWS_SECRET_ACCESS_KEY": "real", "AWS_PROFILE": "work", "WUKONG_TOKEN": "other", "PYTHONPATH": "/lib"}
    environ = children_environ(users, 1)
    assert "real" not in environ.values()
    assert "AWS_PROFILE" not in environ
    assert "WUKONG_TOKEN" not in environ
    assert environ["PYTHONPATH"] == "/lib"


def test_loopback_needs_no_proxy() -> None:
    environ = children_environ({"http_proxy": "http://p:3128", "no_proxy": "intra"}, 1)
    assert environ["no_proxy"] == "intra,127.0.0.1,localhost"
    assert environ["NO_PROXY"] == "127.0.0.1,localhost"


def test_zygote_imports_the_dear_modules_that_the_program_uses() -> None:
    assert preload({"dask.array", "something.else"}) == (*PRELOAD, "dask.array")
    assert preload(set()) == PRELOAD


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (PRELOAD, {"boto3", "botocore", "grpc", "aiohttp"}),
        (
            (
                "wukong_kvs_proxy.server",
                "wukong_kvs_node.server",
                "wukong_lambda_emulator.server",
                "wukong_scheduler.server",
            ),
            {"boto3", "botocore", "dask", "grpc_reflection.v1alpha", "psutil"},
        ),
    ],
    ids=["zygote", "control"],
)
def test_a_start_imports_nothing_that_nobody_needs_then(modules: tuple[str, ...], heavy: set[str]) -> None:
    program = f"import sys\nimport {', '.join(modules)}\nprint(*{heavy!r} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert found == "\n"


def test_the_policy_is_the_schedulers_and_what_counts_as_large_the_executors() -> None:
    plan = _plan(large_bytes=123)
    assert plan.scheduler("m:1", "p:1", "http://e:1", "")["WUKONG_POLICY"] == "wukong2020"
    function = json.loads(plan.emulator("h:1", "/z", "m:1", "p:1", [])["WUKONG_FUNCTIONS"])["wukong-executor"]
    assert function["environment"]["WUKONG_LARGE_BYTES"] == "123"
    function = json.loads(_plan().emulator("h:1", "/z", "m:1", "p:1", [])["WUKONG_FUNCTIONS"])["wukong-executor"]
    assert "WUKONG_LARGE_BYTES" not in function["environment"]

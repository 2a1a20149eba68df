"""Clients that are not Python: docs/clients.md as it stands, and what the one in JavaScript makes of trouble.

Node.js and npm are needed, and a registry of npm's; without them these tests fail.
"""

from __future__ import annotations

import collections
import importlib
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.kvs_services.stage import Loop

from wukong import Client, LocalCluster
from wukong.cluster import certificates
from wukong.errors import TooManyCalls
from wukong.rpc import server
from wukong.rpc.status import STATUS
from wukong.rpc.tls import ServerTls
from wukong.rpc.v1 import cluster_pb2, scheduler_pb2, scheduler_pb2_grpc

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/clients.md").read_text()
BLOCKS = re.findall(r"^```(sh|js|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NODE = ROOT / "examples/node"

BEGIN = """
import { Client, literal, task } from './wukong.js';
const client = new Client();
"""
#: Tells what becomes of the promise that a program's `attempt` returns.
TELL = """
const tell = (found) => console.log(JSON.stringify(found));
try {
  tell({ found: await attempt() });
} catch (error) {
  const { name, status, message, attributes, task } = error;
  tell({ name, status, message, attributes, task: task && { ...task, exception: undefined } });
} finally {
  client.close();
}
"""

Node = Callable[..., Any]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What of a checkout the page needs."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "protos", folder / "protos")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("node_modules"))
    return folder


@pytest.fixture(scope="module")
def installed(checkout: Path) -> Path:
    """The same, with the packages of the client in JavaScript."""
    folder = checkout / "examples/node"
    if not (folder / "node_modules/.package-lock.json").exists():  # which the session of the page left
        subprocess.run(["npm", "ci"], cwd=folder, check=True, timeout=100)
    return folder


@pytest.fixture
def environ(cluster: LocalCluster) -> dict[str, str]:
    """With the cluster's address and token, and with `buf`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "WUKONG_ADDRESS": cluster.address, "WUKONG_TOKEN": cluster.token}


@pytest.fixture
def node(installed: Path, environ: dict[str, str]) -> Node:
    """Run a program that imports the client; it has a `client` and gives an `attempt`. What that gave, or its error."""

    def run(program: str, **others: str) -> Any:
        command = ["node", "--input-type=module", "--eval", BEGIN + program + TELL]
        ran = subprocess.run(
            command, cwd=installed, env={**environ, **others}, capture_output=True, text=True, timeout=60, check=False
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return json.loads(ran.stdout)

    return run


def shown(text: str) -> re.Pattern[str]:
    """What a block of output stands for: … is anything, and space does not count."""
    return re.compile(".*".join(re.escape(part) for part in re.sub(r"\s", "", text).split("…")))


def test_the_sessions_of_the_page_are_as_they_are_shown(checkout: Path, environ: dict[str, str]) -> None:
    pairs = [
        (code, output if kind == "text" else None)
        for (language, code), (kind, output) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True)
        if language == "sh"
    ]
    assert len(pairs) >= 8
    mark = "--- the next block ---"
    script = "set -eo pipefail\n" + "".join(f"{code}echo '{mark}'\n" for code, _ in pairs)
    ran = subprocess.run(
        ["bash", "-c", script], cwd=checkout, env=environ, capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stderr
    *outputs, after = ran.stdout.split(f"{mark}\n")
    assert (len(outputs), after) == (len(pairs), "")
    for (code, expected), output in zip(pairs, outputs, strict=True):
        assert expected is not None, code
        assert shown(expected).fullmatch(re.sub(r"\s", "", output)), f"{code}\n{output}"


def value_of(name: str, tasks: dict[str, Any]) -> Any:
    """What a task of examples/calls comes to, in this process."""

    def argument(value: Any) -> Any:
        if isinstance(value, list):
            return [argument(item) for item in value]
        return value_of(value["$task"], tasks) if isinstance(value, dict) else value

    call = tasks[name]["call"]
    module, _, function = call["function"].partition(":")
    args = [argument(arg) for arg in call.get("args", [])]
    kwargs = {keyword: argument(arg) for keyword, arg in call.get("kwargs", {}).items()}
    return getattr(importlib.import_module(module), function)(*args, **kwargs)


@pytest.mark.parametrize("name", ["word_count", "by_name"])
def test_the_results_of_the_page_are_those_of_python(name: str) -> None:
    request = json.loads((ROOT / f"examples/calls/{name}.json").read_text())
    tasks = {task["id"]: task for task in request["tasks"]}
    for target in request["targets"]:
        told = re.search(rf'"target": "{target}",\s*"task": \d+,\s*"json": (.*?)\n        }}', PAGE, re.DOTALL)
        assert told, target
        value = value_of(target, tasks)
        assert json.loads(told[1]) == (value if not isinstance(value, int) or value < 2**53 else str(value))


def test_the_counts_of_the_page_are_those_of_python() -> None:
    program = (NODE / "word_count.js").read_text()
    text, words = (
        re.findall(r"'(.*?)'", block) for block in re.findall(r"^const \w+ = \[(.*?)\];$", program, re.M | re.S)[:2]
    )
    counted = collections.Counter(" ".join(text).split())
    assert "".join(f"{counted[word]} × {word}\n" for word in words) in PAGE


def test_the_programs_of_the_page_are_those_of_the_examples() -> None:
    programs = [path.read_text() for path in NODE.glob("*.js")]
    shown_there = [code for language, code in BLOCKS if language == "js"]
    assert shown_there
    for code in shown_there:
        assert any(code in program for program in programs), code


def test_the_table_of_statuses_is_that_of_the_source() -> None:
    told: dict[str, set[str]] = {}
    for status, kinds in re.findall(r"^\| `([A-Z_]+)`.*? \| (.*?) \|", PAGE, re.MULTILINE):
        told.setdefault(status, set()).update(re.findall(r"`(\w+)`", kinds))
    meant: dict[str, set[str]] = {}
    for kind, status in STATUS.items():
        meant.setdefault(status.name, set()).add(kind.__name__)
    assert {status: kinds for status, kinds in told.items() if kinds} == meant


def test_what_is_said_of_the_limits_is_so(client: Client) -> None:
    limits = client._connection.cluster.limits  # type: ignore[attr-defined]
    for number in (limits.tasks, limits.edges):
        assert f"| {number:,} |" in PAGE
    assert limits.message_bytes == 64 << 20


def test_the_lock_has_versions_and_hashes_and_no_address() -> None:
    lock = json.loads((NODE / "package-lock.json").read_text())
    for name, package in lock["packages"].items():
        if name:
            assert {"version", "integrity"} <= package.keys(), name
        assert "resolved" not in package, name
    assert ".tgz" not in (NODE / "package-lock.json").read_text()
    asked = json.loads((NODE / "package.json").read_text())
    for version in [*asked["dependencies"].values(), *asked["devDependencies"].values()]:
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)


def test_the_types_in_the_comments_hold(installed: Path) -> None:
    subprocess.run(["npm", "run", "check"], cwd=installed, check=True, timeout=60)


def test_values_come_back_as_they_went(node: Node) -> None:
    value = {"text": "ä✓", "no": None, "yes": True, "list": [1, -2.5, [], {}], "$task": {"$literal": 1}}
    program = f"""
    const value = {json.dumps(value)};
    const attempt = async () => (await client.submit([task('a', 'builtins:dict', [literal(value)])])).results();"""
    assert node(program) == {"found": {"a": value}}


def test_map_and_reduce_come_to_what_python_computes(node: Node) -> None:
    draw = random.Random(5)
    parts = [[draw.uniform(-1e6, 1e6) for _ in range(200)] for _ in range(20)]
    program = f"""
    const parts = {json.dumps(parts)};
    const sums = parts.map((part, i) => task(`sum-${{i}}`, 'math:fsum', [part]));
    const largest = parts.map((part, i) => task(`max-${{i}}`, 'builtins:max', [part]));
    const total = task('total', 'math:fsum', [sums]);
    const most = task('most', 'builtins:max', [largest], {{ default: null }});
    const rounded = task('rounded', 'builtins:round', [], {{ number: total, ndigits: 3 }});
    const attempt = async () => (await client.submit([total, most, rounded])).results();"""
    total = math.fsum(map(math.fsum, parts))
    assert node(program) == {"found": {"total": total, "most": max(map(max, parts)), "rounded": round(total, 3)}}


def test_a_value_too_large_for_the_job_comes_from_the_proxy(node: Node) -> None:
    program = """
    const large = task('large', 'operator:mul', ['ab'.repeat(500), 20_000]);
    const small = task('small', 'builtins:len', [large]);
    const attempt = async () => {
      const found = await (await client.submit([large, small])).results();
      return [found.small, found.large === 'ab'.repeat(10_000_000)];
    };"""
    assert node(program) == {"found": [20_000_000, True]}


def test_a_long_chain_is_submitted(node: Node) -> None:
    program = """
    let last = task('0', 'operator:add', [0, 1]);
    for (let i = 1; i < 5000; i++) last = task(String(i), 'operator:add', [last, 1]);
    const attempt = async () => (await client.submit([last])).results();"""
    assert node(program) == {"found": {"4999": 5000}}


@pytest.mark.parametrize(
    ("attempt", "name", "status", "says"),
    [
        ("client.submit([task('a', 'os:system', ['true'])])", "InvalidGraph", "INVALID_ARGUMENT", "'os:system'"),
        ("client.submit([task('a', 'math:exp'), task('a', 'math:exp')])", "InvalidGraph", "INVALID_ARGUMENT", "two"),
        ("client.submit([task('a', 'math:exp', [NaN])])", "InvalidGraph", "INVALID_ARGUMENT", "not finite"),
        ("client.submit([])", "InvalidGraph", "INVALID_ARGUMENT", "no tasks"),
        ("client.submit([task('a', 'math:exp')], { jobId: 'a:b' })", "InvalidGraph", "INVALID_ARGUMENT", "job id"),
        ("client.call('GetJob', { jobId: 'unheard-of' })", "UnknownJob", "NOT_FOUND", "'unheard-of'"),
        (
            "client.submit([task('a', 'math:exp')], { deadlineSeconds: 1e9 })",
            "LimitExceeded",
            "RESOURCE_EXHAUSTED",
            "deadline_seconds",
        ),
    ],
)
def test_what_is_refused(node: Node, attempt: str, name: str, status: str, says: str) -> None:
    found = node(f"const attempt = () => {attempt};")
    assert (found["name"], found["status"]) == (name, status)
    assert says in found["message"]


def test_facts_of_errors_are_told(node: Node) -> None:
    found = node("const attempt = () => client.submit([task('a', 'math:exp')], { deadlineSeconds: 1e9 });")
    assert found["attributes"] == {"limit": "deadline_seconds", "value": 1e9, "maximum": 86400}


def test_a_wrong_token_is_refused(node: Node) -> None:
    program = "const attempt = async () => (await client.submit([task('a', 'math:exp', [0])])).results();"
    found = node(program, WUKONG_TOKEN="wrong")
    assert (found["name"], found["status"]) == ("AccessDenied", "UNAUTHENTICATED")
    assert "the token is wrong" in found["message"]


def test_nothing_that_answers_is_told_when_it_was_asked_again(node: Node) -> None:
    program = """
    client.patienceMs = 500;
    let calls = 0;
    const { GetCluster } = client.scheduler;
    client.scheduler.GetCluster = (...rest) => (calls++, GetCluster.apply(client.scheduler, rest));
    const attempt = async () => [await client.call('GetCluster', {}).catch(({ name }) => name), calls];"""
    # After 0, 0.1 and 0.3 seconds: the next pause would take too long.
    assert node(program, WUKONG_ADDRESS="127.0.0.1:1") == {"found": ["UNAVAILABLE", 3]}


def test_a_task_that_raises_is_told_with_its_traceback(node: Node) -> None:
    program = """
    const divided = task('a', 'operator:truediv', [1, 0], {}, { retries: 1 });
    const attempt = async () => (await client.submit([divided])).results();"""
    found = node(program)
    assert found["name"] == "TaskError"
    assert found["message"] == "task a raised builtins.ZeroDivisionError: division by zero"
    assert (found["task"]["key"], found["task"]["attempt"]) == ("a", 2)
    assert "Traceback (most recent call last)" in found["task"]["remoteTraceback"]


def test_a_job_is_cancelled_while_it_is_watched(node: Node) -> None:
    # There is nothing among the functions of an executor that waits.
    program = """
    const numbers = task('0', 'builtins:range', [5_000_000]);
    let last = task('1', 'builtins:sum', [numbers]);
    for (let i = 2; i < 300; i++) last = task(String(i), 'builtins:sum', [numbers, last]);
    const attempt = async () => {
      const job = await client.submit([last]);
      return job.results(({ progress }) => progress && job.cancel('enough'));
    };"""
    found = node(program)
    assert found["name"] == "JobCancelled"
    assert "enough" in found["message"]


def test_an_id_stands_for_one_job(node: Node) -> None:
    program = """
    const sum = (a) => client.submit([task('sum', 'operator:add', [a, 1])], { jobId: 'node-sum' });
    const attempt = async () => {
      const values = [await (await sum(1)).results(), await (await sum(1)).results()];
      const refused = await sum(2).catch((error) => error.message);
      await (await sum(1)).release();
      const gone = await (await sum(1)).results().catch((error) => [error.name, error.message]);
      return [values, refused, gone];
    };"""
    (values, refused, gone) = node(program)["found"]
    assert values == [{"sum": 2}, {"sum": 2}]
    assert "'node-sum' was submitted before with another graph" in refused
    assert gone == ["JOB_STATE_GONE", "job node-sum has no results, it is JOB_STATE_GONE"]


def test_a_job_is_watched_on_through_a_restart_of_the_scheduler(installed: Path, environ: dict[str, str]) -> None:
    program = """
    const numbers = task('0', 'builtins:range', [3_000_000]);
    let last = task('1', 'builtins:sum', [numbers]);
    for (let i = 2; i <= 20; i++) last = task(String(i), 'builtins:sum', [numbers, last]);
    const attempt = async () => {
      const job = await client.submit([last]);
      return job.results(({ progress }) => progress && console.error('progress'));
    };"""
    with LocalCluster(environments=1) as cluster:
        where = {"WUKONG_ADDRESS": cluster.address, "WUKONG_TOKEN": cluster.token}
        with subprocess.Popen(
            ["node", "--input-type=module", "--eval", BEGIN + program + TELL],
            cwd=installed,
            env={**environ, **where},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "progress\n"
            (control,) = [pid for role, pid in cluster.processes() if role == "control"]
            os.kill(control, signal.SIGKILL)
            out, _ = process.communicate(timeout=60)
    assert json.loads(out) == {"found": {"20": 20 * sum(range(3_000_000))}}


class OneAnswer(scheduler_pb2_grpc.SchedulerServicer):
    """As much of a scheduler as tells that it was reached."""

    async def GetCluster(
        self, request: scheduler_pb2.GetClusterRequest, context: server.Context
    ) -> cluster_pb2.Cluster:
        return cluster_pb2.Cluster(version="reached")


@pytest.mark.parametrize("mutual", [False, True])
def test_clusters_with_tls(checkout: Path, node: Node, environ: dict[str, str], tmp_path: Path, mutual: bool) -> None:
    certificates.make(tmp_path)
    files = {name: str(tmp_path / f"{name}.pem") for name in ("ca", "server", "server-key", "client", "client-key")}
    named = {"WUKONG_TLS_CERTIFICATE": files["server"], "WUKONG_TLS_KEY": files["server-key"]}
    tls = ServerTls.read({**named, "WUKONG_TLS_CLIENT_CA": files["ca"] if mutual else ""})

    def add(grpc_server: Any) -> None:
        scheduler_pb2_grpc.add_SchedulerServicer_to_server(OneAnswer(), grpc_server)

    loop = Loop()
    started = loop.do(server.start("127.0.0.1:0", add, "secret", ["wukong.rpc.v1.Scheduler"], tls=tls))
    own = {"WUKONG_TLS_CERTIFICATE": files["client"], "WUKONG_TLS_KEY": files["client-key"]} if mutual else {}
    # By name: Node.js warns of certificates that are for an address.
    address = started.address.replace("127.0.0.1", "localhost")
    where = {"WUKONG_ADDRESS": address, "WUKONG_TOKEN": "secret"}
    program = """
    client.patienceMs = 0;
    const attempt = async () => (await client.call('GetCluster', {})).version;"""
    try:
        assert node(program, **where, **own, WUKONG_TLS_CA=files["ca"]) == {"found": "reached"}
        assert node(program, **where)["status"] == "UNAVAILABLE"
        if mutual:
            assert node(program, **where, WUKONG_TLS_CA=files["ca"])["status"] == "UNAVAILABLE"
        command = ["buf", "curl", "--protocol", "grpc", "--header", "authorization: Bearer secret"]
        command += ["--cacert", files["ca"]]
        command += ["--cert", files["client"], "--key", files["client-key"]] if mutual else []
        ran = subprocess.run(
            [*command, f"https://{address}/wukong.rpc.v1.Scheduler/GetCluster"],
            cwd=checkout,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert json.loads(ran.stdout) == {"version": "reached"}, ran.stderr
    finally:
        loop.do(started.close())
        loop.close()


class Busy(scheduler_pb2_grpc.SchedulerServicer):
    """Says once that it is called too often."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    async def GetCluster(
        self, request: scheduler_pb2.GetClusterRequest, context: server.Context
    ) -> cluster_pb2.Cluster:
        self.calls.append(time.monotonic())
        if len(self.calls) == 1:
            raise TooManyCalls("calls", "127.0.0.1", 1.0, 0.5)
        return cluster_pb2.Cluster(version="reached")


def test_who_calls_too_often_waits_as_long_as_it_is_told(node: Node) -> None:
    busy = Busy()

    def add(grpc_server: Any) -> None:
        scheduler_pb2_grpc.add_SchedulerServicer_to_server(busy, grpc_server)

    loop = Loop()
    started = loop.do(server.start("127.0.0.1:0", add, "secret", ["wukong.rpc.v1.Scheduler"]))
    program = "const attempt = async () => (await client.call('GetCluster', {})).version;"
    try:
        found = node(program, WUKONG_ADDRESS=started.address, WUKONG_TOKEN="secret")
    finally:
        loop.do(started.close())
        loop.close()
    assert found == {"found": "reached"}
    first, second = busy.calls
    assert second - first >= 0.5

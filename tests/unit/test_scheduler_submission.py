from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from wukong.errors import (
    ClusterUnavailable,
    InputLost,
    InvalidGraph,
    LimitExceeded,
    ValueRefused,
    VersionMismatch,
    WukongError,
)
from wukong.graph.page import Page
from wukong.kvs.ring import Node, Ring
from wukong.mds.counters import Counters
from wukong.mds.store import JobInfo, Sync
from wukong.rpc.v1 import cluster_pb2, graph_pb2, job_pb2, scheduler_pb2, value_pb2
from wukong.runtime import installed
from wukong.testing.mds import MemoryMds
from wukong.values.signing import Signer
from wukong_scheduler.config import Config
from wukong_scheduler.rings import Rings
from wukong_scheduler.submission import Submission

KEY = bytes(range(32))
PAYLOADS = [b"Pfirst page", b"Psecond page"]
HASHES = [hashlib.sha256(data).hexdigest() for data in PAYLOADS]


class Desk:
    """A submission on a store in memory, which notes what it has invoked."""

    def __init__(self, **environ: str) -> None:
        self.mds = MemoryMds()
        self.mds.put_ring(Ring(1, (Node("node-1", "localhost:1"),)))
        self.invoked: list[tuple[str, list[str]]] = []
        config = Config.read(
            {
                "WUKONG_MDS_ADDRESS": "localhost:1",
                "WUKONG_TOKEN": "token",
                "WUKONG_SIGNING_KEY": KEY.hex(),
                "WUKONG_PROXY_ADDRESS": "localhost:2",
                **environ,
            }
        )
        self.submission = Submission(config, self.mds, Rings(self.mds), self._invoke)
        self.empty = self.mds.keys()

    def _invoke(self, job: str, records: Mapping[str, Sequence[int]]) -> None:
        self.invoked.append((job, list(records)))

    def submit(self, request: scheduler_pb2.SubmitJobRequest) -> scheduler_pb2.SubmitJobResponse:
        return self.submission.submit(request)


def words(values: Sequence[int]) -> bytes:
    return np.asarray(values, dtype="<u4").tobytes()


def diamond(name: str = "job-1") -> scheduler_pb2.SubmitJobRequest:
    """0 -> 1, 2 -> 3 on two pages; 3 and 1 are asked for."""
    here = installed()
    return scheduler_pb2.SubmitJobRequest(
        job_id=name,
        graph=graph_pb2.Graph(
            page_hashes=HASHES,
            first_tasks=[0, 2],
            dep_offsets=words([0, 0, 1, 2, 4]),
            deps=words([0, 0, 1, 2]),
            targets=words([3, 1]),
            pages=[graph_pb2.Page(hash=name, data=data) for name, data in zip(HASHES, PAYLOADS, strict=True)],
        ),
        client=cluster_pb2.Runtime(python=here.python, packages=here.packages),
    )


def calls(*tasks: tuple[str, str], targets: Sequence[str]) -> scheduler_pb2.SubmitJobRequest:
    """Tasks that call a function with one argument, the value of the task after the colon."""
    request = scheduler_pb2.SubmitJobRequest(job_id="calls-1", targets=targets)
    for name, needed in tasks:
        task = request.tasks.add(id=name)
        task.call.function = "math:sqrt"
        argument: Any = {"$task": needed} if needed else 1.0
        task.call.args.extend([argument])
    return request


def test_pages_are_signed_for_their_job_and_place() -> None:
    desk = Desk()
    desk.submit(diamond())
    for index, page in enumerate(desk.mds.pages("job-1", [0, 1])):
        Signer(KEY).verify(f"page:job-1:{index}", page[:32], page[32:])
        assert bytes(Page.decode(page[32:]).payload) == PAYLOADS[index]


def test_the_first_executor_is_invoked_once_for_all_submissions_of_a_job() -> None:
    desk = Desk()
    for _ in range(3):
        answer = desk.submit(diamond())
        assert (answer.job_id, answer.state) == ("job-1", job_pb2.JOB_STATE_RUNNING)
    assert desk.invoked == [("job-1", ["0"])]


def test_a_job_that_could_not_be_written_is_written_when_it_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()

    def crash(*arguments: object) -> str:
        raise ClusterUnavailable("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(desk.mds, "submit", crash)
        with pytest.raises(ClusterUnavailable, match="power cut"):
            desk.submit(diamond())
    assert desk.invoked == []
    assert desk.submit(diamond()).state == job_pb2.JOB_STATE_RUNNING
    assert desk.invoked == [("job-1", ["0"])]


def test_missing_pages_are_named_and_nothing_is_stored() -> None:
    desk = Desk()
    request = diamond()
    del request.graph.pages[:]
    assert desk.submit(request).missing_pages == HASHES
    assert desk.mds.keys() == desk.empty
    desk.submission.keep_page(graph_pb2.Page(hash=HASHES[1], data=PAYLOADS[1]))
    assert desk.submit(request).missing_pages == HASHES[:1]
    desk.submission.keep_page(graph_pb2.Page(hash=HASHES[0], data=PAYLOADS[0]))
    assert desk.submit(request).state == job_pb2.JOB_STATE_RUNNING


def test_a_page_with_a_false_hash_is_refused() -> None:
    with pytest.raises(InvalidGraph, match="came with the hash"):
        Desk().submission.keep_page(graph_pb2.Page(hash=HASHES[0], data=b"other"))


def test_a_page_that_was_changed_in_the_store_is_not_signed() -> None:
    desk = Desk()
    for name in HASHES:
        desk.mds.put_upload(name, b"Psomebody else's", 60.0)
    request = diamond()
    del request.graph.pages[:]
    with pytest.raises(ValueRefused, match=f"{HASHES[0]} was changed in the metadata store"):
        desk.submit(request)
    assert desk.mds.job("job-1") is None
    assert desk.invoked == []


def test_the_mark_of_an_input_is_the_clients_or_the_stores() -> None:
    desk = Desk()
    desk.mds.place_input("stored", "job-1", b"M stored", "in:stored:t", 1e6)
    request = diamond()
    request.graph.dep_offsets = words([0, 0, 0, 1, 3])
    request.graph.deps = words([0, 1, 2])
    request.graph.inputs.add(task=0, ref=value_pb2.ValueRef(hash="stored"))
    request.graph.inputs.add(task=1, ref=value_pb2.ValueRef(hash="sent", mark=b"M sent"))
    desk.submit(request)
    (page,) = desk.mds.pages("job-1", [0])
    assert dict(Page.decode(page[32:]).inputs) == {0: b"M stored", 1: b"M sent"}


def test_a_value_of_an_earlier_job_is_adopted() -> None:
    desk = Desk()
    desk.submit(diamond("earlier"))
    desk.mds.begin("earlier", "0", "holder", 30.0)
    desk.mds.sync("earlier", "0", "holder", 0, 30.0, Sync(results=[(3, b"I17")]))
    request = diamond("later")
    request.graph.inputs.add(task=0, ref=value_pb2.ValueRef(job_id="earlier", task=3))
    desk.submit(request)
    (page,) = desk.mds.pages("later", [0])
    assert dict(Page.decode(page[32:]).inputs) == {0: b"I17"}
    for job, task, error in [("earlier", 1, InputLost), ("never", 3, InputLost), ("a:b", 3, InvalidGraph)]:
        request = diamond("refused")
        request.graph.inputs.add(task=0, ref=value_pb2.ValueRef(job_id=job, task=task))
        with pytest.raises(error, match=job):
            desk.submit(request)


def test_calls_are_put_in_order() -> None:
    desk = Desk()
    desk.submit(calls(("c", "b"), ("b", "a"), ("a", ""), targets=["c"]))
    begun = desk.mds.begin("calls-1", "0", "holder", 30.0)
    assert begun.json_results
    assert list(begun.entries) == [0]
    (page,) = desk.mds.pages("calls-1", [0])
    assert [list(Page.decode(page[32:]).deps(task)) for task in range(3)] == [[], [0], [1]]


def test_an_id_stands_for_one_job_of_calls() -> None:
    desk = Desk()
    request = calls(("a", ""), ("b", "a"), targets=["b"])
    assert desk.submit(request).state == desk.submit(request).state == job_pb2.JOB_STATE_RUNNING
    others = [calls(("a", ""), ("b", "a"), targets=["a"]), calls(("a", ""), ("b", ""), targets=["b"])]
    for other in others:
        with pytest.raises(InvalidGraph, match="job 'calls-1' was submitted before with another graph"):
            desk.submit(other)
    assert desk.invoked == [("calls-1", ["0"])]
    # What it was is forgotten with its release, and a repeated submission of it stays harmless.
    desk.mds.purge("calls-1", 60)
    assert desk.submit(others[0]).state == job_pb2.JOB_STATE_GONE


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_know_are_refused(number: float) -> None:
    request = calls(("a", ""), targets=["a"])
    request.tasks[0].call.kwargs["x"] = number
    with pytest.raises(InvalidGraph, match=r"task 'a' has an argument that is not finite"):
        Desk().submit(request)


def test_options_are_kept_within_the_clusters_limits() -> None:
    desk = Desk(WUKONG_PARALLELISM="10", WUKONG_DEADLINE_SECONDS="100")
    for name, asked, given in [("a", 3, 3), ("b", 99, 10)]:
        request = diamond(name)
        request.options.max_parallelism = asked
        request.options.deadline_seconds = 50
        desk.submit(request)
        info = desk.mds.job(name)
        assert info is not None
        assert info.parallelism == given
        assert info.deadline - info.created == pytest.approx(50, abs=0.01)


def test_a_budget_is_kept_with_the_prices_of_the_cluster() -> None:
    desk = Desk(WUKONG_PRICES='{"gb_second": 1, "request": 0.25}')
    request = diamond()
    request.options.max_cost_usd = 1.0
    desk.submit(request)
    mds, job = desk.mds, request.job_id
    begun = mds.begin(job, "0", "holder", 30.0)
    for milliseconds, state in ((700, "running"), (100, "failed")):
        mds.sync(job, "0", "holder", begun.generation, 30.0, Sync(counters=Counters(mb_ms=1024 * milliseconds)))
        info = mds.job(job)
        assert info is not None
        assert info.state == state
    assert info.failure is not None
    attributes = info.failure.attributes
    assert (attributes["limit"], attributes["value"]) == (1.0, pytest.approx(1.05))
    assert (attributes["tasks"], attributes["tasks_run"]) == (4, 0)
    assert attributes["seconds"] >= 0


def job_of(desk: Desk, request: scheduler_pb2.SubmitJobRequest) -> JobInfo:
    desk.submit(request)
    info = desk.mds.job(request.job_id)
    assert info is not None
    return info


def test_a_job_has_its_own_policy_or_the_clusters() -> None:
    assert job_of(Desk(), diamond()).policy == "heartbeat"
    desk = Desk(WUKONG_POLICY="wukong2020")
    assert job_of(desk, diamond("a")).policy == "wukong2020"
    request = diamond("b")
    request.options.policy = "stateless"
    assert job_of(desk, request).policy == "stateless"
    assert desk.mds.begin("b", "0", "holder", 30.0).policy == "stateless"


@pytest.mark.parametrize("policy", ["wukong2020", "stateless"])
def test_other_policies_start_with_an_executor_for_each_leaf_and_are_bounded_by_the_user_only(policy: str) -> None:
    desk = Desk(WUKONG_PARALLELISM="2")
    request = calls(("a", ""), ("b", ""), ("c", ""), ("d", "a"), targets=["b", "c", "d"])
    request.options.policy = policy
    assert job_of(desk, request).parallelism == 4
    assert desk.invoked == [("calls-1", ["0", "1", "2"])]
    request.job_id = "calls-2"
    request.options.max_parallelism = 2
    assert job_of(desk, request).parallelism == 2
    assert desk.invoked[1:] == [("calls-2", ["0", "1"])]


def test_a_scheduler_whose_own_policy_does_not_exist_does_not_start() -> None:
    with pytest.raises(ValueError, match="no policy 'pywren'"):
        Desk(WUKONG_POLICY="pywren")


def test_other_packages_are_warned_about() -> None:
    request = diamond()
    request.client.packages["numpy"] = "0.9"
    (warning,) = Desk().submit(request).warnings
    assert "numpy is 0.9" in warning


def test_a_cluster_without_nodes_asks_to_try_again() -> None:
    desk = Desk()
    mds = MemoryMds()
    desk.submission._mds = mds
    desk.submission._rings = Rings(mds)
    with pytest.raises(ClusterUnavailable, match="no node yet") as caught:
        desk.submit(diamond())
    assert caught.value.retryable
    assert mds.keys() == []


def cyclic(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.graph.deps = words([3, 0, 1, 2])


def both(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.tasks.extend(calls(("a", ""), targets=["a"]).tasks)


def empty(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.graph.Clear()


def nothing(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.ClearField("graph")


def late(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.options.deadline_seconds = 1e9


def over(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.options.deadline_seconds = 0.0


def alone(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.options.max_parallelism = 0


def free(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.options.max_cost_usd = 0.0


def dear(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.options.max_cost_usd = math.inf


def vague(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.options.max_cost_usd = math.nan


def strange(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.options.policy = "pywren"


def old(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.client.packages["dask"] = "0.1"


def silent(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.ClearField("client")


def named(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.job_id = "w:*"


def unnamed(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.job_id = ""


def wordy(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.job_id = "a" * 129


def reserved(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.job_id = "in"


def nested(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.job_id = "job-1:r:0"


def false(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.graph.pages[0].data = b"other"


def nosy(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.graph.page_hashes[0] = "targets:other-job"


def lost(request: scheduler_pb2.SubmitJobRequest) -> None:
    request.graph.inputs.add(task=0, ref=value_pb2.ValueRef(hash="nowhere"))


def short(request: scheduler_pb2.SubmitJobRequest) -> None:
    del request.graph.page_hashes[1:]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (cyclic, InvalidGraph, "cycle"),
        (both, InvalidGraph, "not both"),
        (empty, InvalidGraph, "no tasks"),
        (nothing, InvalidGraph, "no tasks"),
        (late, LimitExceeded, "deadline_seconds .* Give less time"),
        (over, InvalidGraph, "deadline of 0 s"),
        (alone, InvalidGraph, "max_parallelism"),
        (free, InvalidGraph, "max_cost_usd is 0"),
        (dear, InvalidGraph, "max_cost_usd is inf"),
        (vague, InvalidGraph, "max_cost_usd is nan"),
        (strange, InvalidGraph, "no policy 'pywren'.*'heartbeat', 'wukong2020', 'stateless'"),
        (named, InvalidGraph, "no job id"),
        (unnamed, InvalidGraph, "no job id"),
        (wordy, InvalidGraph, "no job id"),
        (nested, InvalidGraph, "no job id"),
        (reserved, InvalidGraph, "no job can have the id 'in'"),
        (old, VersionMismatch, r"dask 0\.1"),
        (silent, VersionMismatch, "does not say"),
        (false, InvalidGraph, "came with the hash"),
        (nosy, InvalidGraph, "no page's hash"),
        (lost, InputLost, "nowhere"),
        (short, InvalidGraph, "2 pages, but 1 payloads"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_stored(
    change: Callable[[scheduler_pb2.SubmitJobRequest], None], error: type[WukongError], message: str
) -> None:
    desk = Desk()
    request = diamond()
    change(request)
    with pytest.raises(error, match=message):
        desk.submit(request)
    assert desk.mds.keys() == desk.empty
    assert desk.invoked == []


@pytest.mark.parametrize(
    ("tasks", "targets", "message"),
    [
        ([("a", "b"), ("b", "a")], ["a"], "cycle"),
        ([("a", "nobody")], ["a"], "'nobody', which is not in the graph"),
        ([("a", "")], ["nobody"], "target 'nobody'"),
        ([("a", "")], [], "no targets"),
        ([("a", ""), ("a", "")], ["a"], "two tasks have the id 'a'"),
    ],
)
def test_calls_that_cannot_run_are_refused(tasks: list[tuple[str, str]], targets: list[str], message: str) -> None:
    desk = Desk()
    with pytest.raises(InvalidGraph, match=message):
        desk.submit(calls(*tasks, targets=targets))
    assert desk.mds.keys() == desk.empty


@pytest.mark.parametrize("stated", ["", '{"python": "3.11.4", "functions": ["math:sin"]}'])
def test_calls_of_functions_that_executors_do_not_offer_are_refused_at_the_door(stated: str) -> None:
    desk = Desk(WUKONG_EXECUTOR_RUNTIME=stated)
    request = calls(("a", ""), targets=["a"])
    request.tasks[0].call.function = "os:system"
    with pytest.raises(InvalidGraph, match="task 'a' calls 'os:system', which is not among the functions"):
        desk.submit(request)
    assert desk.mds.keys() == desk.empty
    request.tasks[0].call.function = "math:sin"
    desk.submit(request)
    assert desk.invoked


def test_a_manifest_without_functions_leaves_them_to_the_executors() -> None:
    desk = Desk(WUKONG_EXECUTOR_RUNTIME='{"python": "3.11.4"}')
    desk.submit(calls(("a", ""), targets=["a"]))
    assert desk.invoked


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ('{"tasks": 3}', "tasks is 4, above the limit of 3"),
        ('{"edges": 3}', "edges is 4"),
        ('{"page_bytes": 11}', "page_bytes is 12"),
        ('{"payload_bytes": 22}', "payload_bytes is 23"),
        ('{"inline_pages_bytes": 22}', "inline_pages_bytes is 23.*UploadPages"),
    ],
)
def test_limits_are_the_operators(limits: str, message: str) -> None:
    with pytest.raises(LimitExceeded, match=message):
        Desk(WUKONG_LIMITS=limits).submit(diamond())


def test_uploaded_pages_have_the_same_limit() -> None:
    with pytest.raises(LimitExceeded, match="page_bytes is 12"):
        Desk(WUKONG_LIMITS='{"page_bytes": 11}').submission.keep_page(graph_pb2.Page(hash=HASHES[1], data=PAYLOADS[1]))

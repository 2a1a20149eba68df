"""The scheduler starts and ends KVS nodes: ECS is moto's, the nodes come when the test says so."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from tests.integration.aws.amazon import Amazon
from tests.integration.aws.stage import ScalingStage
from tests.integration.scheduler_server.stage import diamond, until

from wukong.errors import ClusterUnavailable, InvalidGraph, LimitExceeded, WukongError
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import scheduler_pb2


def scale(stage: ScalingStage, nodes: int, at_least: bool = False) -> list[tuple[int, int]]:
    """Order nodes and wait; returns (wanted, registered) as it was told on the way."""
    request = scheduler_pb2.ScaleKvsRequest(nodes=nodes, at_least=at_least)
    with wukong_errors(stage.address):
        return [(told.wanted, told.registered) for told in stage.stub.ScaleKvs(request)]


def asking(nodes: int, name: str = "job-1") -> scheduler_pb2.SubmitJobRequest:
    request = diamond(name)
    request.options.kvs_nodes = nodes
    return request


def pinned(stage: ScalingStage, job: str) -> list[str]:
    """The nodes of a job."""
    info = stage.mds.job(job)
    assert info is not None
    ring = stage.mds.ring(info.ring_version)
    assert ring is not None
    return [node.id for node in ring.nodes]


def test_a_job_waits_for_the_nodes_that_it_asks_for(stage: ScalingStage, amazon: Amazon) -> None:
    stage.register(gone=("before",))  # the ring keeps its last node
    stage.start()
    with ThreadPoolExecutor() as pool:
        submitted = pool.submit(stage.submit, asking(3))
        until(lambda: amazon.wanted() == 3)
        stage.register("a", "b", gone=("before",))
        stage.register("a", "b", "c", gone=("before",))
        assert not submitted.done()
        stage.register("a", "b", "c")
        assert submitted.result(30).job_id == "job-1"
    assert pinned(stage, "job-1") == ["a", "b", "c"]


def test_a_job_that_asks_for_none_wakes_the_usual_number(stage: ScalingStage, amazon: Amazon) -> None:
    stage.register(gone=("before",))
    stage.start(WUKONG_KVS_NODES="2")
    with ThreadPoolExecutor() as pool:
        submitted = pool.submit(stage.submit, diamond())
        until(lambda: amazon.wanted() == 2)
        stage.register("a", "b")
        submitted.result(30)
    assert pinned(stage, "job-1") == ["a", "b"]


def test_where_there_are_enough_nobody_asks_ecs(stage: ScalingStage, amazon: Amazon) -> None:
    amazon.empty()  # there is no such service, and it is not missed
    stage.register("a", "b")
    stage.start()
    stage.submit(diamond())
    stage.submit(asking(2, "job-2"))
    with pytest.raises(ClusterUnavailable, match="ECS service 'wukong-test/wukong-test-kvs'"):
        stage.submit(asking(3, "job-3"))


def test_more_than_the_operator_allows_is_refused_at_once(stage: ScalingStage, amazon: Amazon) -> None:
    stage.register("a")
    stage.start(WUKONG_KVS_MAX_NODES="4")
    assert stage.stub.GetCluster(scheduler_pb2.GetClusterRequest()).kvs_most == 4
    with pytest.raises(LimitExceeded, match=r"kvs_nodes is 5, above the limit of 4\."):
        stage.submit(asking(5))
    with pytest.raises(LimitExceeded, match=r"kvs_nodes is 5, above the limit of 4\."):
        scale(stage, 5)
    with pytest.raises(InvalidGraph, match="kvs_nodes is 0"):
        stage.submit(asking(0))
    assert amazon.wanted() == 0


def test_nodes_that_do_not_come_are_given_up_with_what_is_known(stage: ScalingStage, amazon: Amazon) -> None:
    stage.register("a")
    stage.start(WUKONG_KVS_START_SECONDS="0.2")
    with pytest.raises(ClusterUnavailable, match=r"shall have 2 nodes, and after 0.2 s .*1 in the ring answer"):
        stage.submit(asking(2))
    assert amazon.wanted() == 2


def test_a_user_orders_nodes_and_sees_them_come(stage: ScalingStage, amazon: Amazon) -> None:
    stage.register("a")
    stage.start()
    told: Future[list[tuple[int, int]]]
    with ThreadPoolExecutor() as pool:
        told = pool.submit(scale, stage, 2)
        until(lambda: amazon.wanted() == 2)
        stage.register("a", "b")
        assert told.result(30)[-1] == (2, 2)
    assert scale(stage, 2) == [(2, 2)]
    assert scale(stage, 1, at_least=True) == []  # there are more
    assert amazon.wanted() == 2


def test_nodes_that_are_in_use_stay(stage: ScalingStage, amazon: Amazon) -> None:
    amazon.client("ecs").update_service(cluster="wukong-test", service="wukong-test-kvs", desiredCount=2)
    stage.register("a", "b")
    stage.start()
    stage.submit(diamond())
    with pytest.raises(WukongError, match="keeps its 2 nodes: 1 jobs are not removed"):
        scale(stage, 0)
    stage.release("job-1")
    stage.put("w:in:upload")
    with pytest.raises(WukongError, match=r"keeps its 2 nodes: 0 jobs are not removed, and . keys are in it"):
        scale(stage, 1)
    stage.take("w:in:upload")
    assert scale(stage, 0)[-1][0] == 0
    assert amazon.wanted() == 0


def test_nodes_that_were_told_to_end_do_not_count(stage: ScalingStage, amazon: Amazon) -> None:
    amazon.client("ecs").update_service(cluster="wukong-test", service="wukong-test-kvs", desiredCount=1)
    stage.register("a")
    stage.start()
    scale(stage, 0)
    with ThreadPoolExecutor() as pool:
        submitted = pool.submit(stage.submit, diamond())  # "a" still answers
        until(lambda: amazon.wanted() == 1)
        stage.register("a", "b")
        assert not submitted.done()
        stage.register("b")
        submitted.result(30)
    assert pinned(stage, "job-1") == ["b"]


def test_idle_nodes_end_and_not_before(stage: ScalingStage, amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    amazon.client("ecs").update_service(cluster="wukong-test", service="wukong-test-kvs", desiredCount=1)
    monkeypatch.setattr("wukong_scheduler.scaler.LOOK", 0.02)
    stage.register("a")
    stage.put("w:in:upload")
    stage.start(WUKONG_KVS_IDLE_SECONDS="1")
    stage.submit(diamond())
    looks = stage.looks(monkeypatch)
    until(lambda: len(looks) > 60)  # of which each is a fiftieth of the time, at least
    assert amazon.wanted() == 1
    stage.release("job-1")
    stage.take("w:in:upload")
    until(lambda: amazon.wanted() == 0)


def test_a_cluster_that_starts_no_nodes_says_who_does(stage: ScalingStage) -> None:
    del stage.environ["WUKONG_KVS_SERVICE"]
    stage.register("a", "b")
    stage.start()
    assert stage.stub.GetCluster(scheduler_pb2.GetClusterRequest()).kvs_most == 0
    stage.submit(asking(2))
    with pytest.raises(LimitExceeded, match=r"kvs_nodes is 3, above the limit of 2\. .*LocalCluster\(kvs_nodes"):
        stage.submit(asking(3, "job-2"))
    with pytest.raises(WukongError, match="does not start KVS nodes"):
        scale(stage, 3)

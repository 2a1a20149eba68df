"""A client of a deployment: its root's outputs, its token in Secrets Manager, its scheduler with TLS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.integration.aws.amazon import CLUSTER, REGION, Amazon
from tests.integration.aws.root import Root, client
from tests.integration.aws.stage import ScalingStage
from tests.integration.scheduler_server.stage import TOKEN, until

from wukong import Client, LegacyOptionWarning, LocalCluster
from wukong.aws.deployment import Deployment
from wukong.cluster import certificates
from wukong.errors import AccessDenied, ClusterUnavailable, WukongError


@pytest.fixture
def deployed(stage: ScalingStage, amazon: Amazon, root: Root, tmp_path: Path) -> Root:
    """A root whose outputs lead to a running scheduler."""
    certificates.make(tmp_path / "certificates")
    certificate, key = (tmp_path / "certificates" / name for name in certificates.SERVER)
    stage.register("a", "b")
    # As ECS has them: as text.
    stage.start(WUKONG_TLS_CERTIFICATE=certificate.read_text(), WUKONG_TLS_KEY=key.read_text())
    ca = (tmp_path / "certificates/ca.pem").read_text()
    root.tell(client=client(stage.address, ca, amazon.secret(f"{TOKEN}\n")))
    root.stage = stage
    return root


def test_a_root_that_was_applied_is_all_that_a_client_needs(deployed: Root) -> None:
    made = Client.from_terraform(deployed.folder, timeout=10)
    try:
        info = made.info()
    finally:
        made.close()
    assert (info["kvs_nodes"], info["parallelism"]) == (2, 8)
    assert deployed.calls() == [[f"-chdir={deployed.folder}", "output", "-json", "-no-color"]]


def test_tofu_does_as_well(deployed: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    program = deployed.folder.parent / "bin/terraform"
    program.rename(program.with_name("tofu"))
    monkeypatch.setenv("PATH", str(program.parent))
    assert Deployment.of(deployed.folder).region == REGION


def test_what_is_no_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no folder; give that of a Terraform root"):
        Client.from_terraform(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"is no Terraform root: it has no file \*\.tf"):
        Client.from_terraform(tmp_path)


def test_without_terraform_it_says_what_to_install(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ClusterUnavailable, match="neither terraform nor tofu is on the PATH"):
        Client.from_terraform(root.folder)


def test_a_root_that_cannot_be_read_is_told_in_terraforms_words(root: Root) -> None:
    root.answer(1, "╷\n│ Error: Backend initialization required\n╵\n")
    with pytest.raises(ClusterUnavailable, match=r"Error: Backend initialization required.*-chdir=.* init`"):
        Client.from_terraform(root.folder)
    root.answer(0, "no JSON")
    with pytest.raises(ClusterUnavailable, match="answered something else than outputs: 'no JSON'"):
        Client.from_terraform(root.folder)


def test_a_root_that_was_not_applied_is_told_so(root: Root) -> None:
    root.tell()
    with pytest.raises(ClusterUnavailable, match=r"nothing was applied in .* apply` makes the deployment"):
        Client.from_terraform(root.folder)


def test_a_root_of_something_else_is_told_so(root: Root) -> None:
    root.tell(repositories={}, region=REGION)
    with pytest.raises(ClusterUnavailable, match=r"has no output 'client'.*Its outputs are region, repositories"):
        Client.from_terraform(root.folder)
    root.tell(client={"name": "wukong-dev", "region": REGION})
    with pytest.raises(ClusterUnavailable, match="lacks scheduler, proxy, ca, token_secret"):
        Client.from_terraform(root.folder)


def test_a_token_that_is_not_there_is_named(root: Root, amazon: Amazon) -> None:
    arn = amazon.secret("token").replace("the-secret", "another")
    root.tell(client=client(token_secret=arn))
    with pytest.raises(ClusterUnavailable, match="the token of 'wukong-test' cannot be read from the secret 'arn:"):
        Client.from_terraform(root.folder)


def test_without_credentials_it_says_how_to_log_in(root: Root, amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    root.tell(client=client(token_secret=amazon.secret("token")))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AccessDenied, match=r"log in .`aws configure`"):
        Client.from_terraform(root.folder)


def published(root: Root, **more: Any) -> LocalCluster:
    """The published call, with a root in the place of the configuration file."""
    return LocalCluster(use_fargate=True, wukong_config_path=root.folder, **more)


def test_the_published_keywords_of_fargate_mean_a_deployment(deployed: Root, amazon: Amazon) -> None:
    with ThreadPoolExecutor() as pool:
        made = pool.submit(
            published, deployed, aws_region=REGION, ecs_cluster_name=CLUSTER, num_fargate_nodes=3, startup_timeout=10
        )
        until(lambda: amazon.wanted() == 3)
        deployed.stage.register("a", "b", "c")
        cluster = made.result(30)
    assert (cluster.address, cluster.token) == (f"grpcs://{deployed.stage.address}", TOKEN)
    assert (cluster.processes(), cluster.logs()) == ([], {})
    assert repr(cluster) == f"<LocalCluster {cluster.address}, on AWS>"
    with pytest.raises(WukongError, match="reached by nobody outside"):
        cluster.administrator
    made_client = Client(cluster, timeout=10)
    try:
        assert made_client.info()["kvs_nodes"] == 3
    finally:
        made_client.close()
    cluster.close()
    assert Deployment.of(deployed.folder).region == REGION  # it stays


def test_another_deployment_than_the_published_keywords_say_is_refused(deployed: Root) -> None:
    with pytest.raises(
        ValueError, match=r"aws_region is 'us-west-1', and that of the deployment in .* is 'eu-central-1'"
    ):
        published(deployed, aws_region="us-west-1")
    with pytest.raises(ValueError, match="ecs_cluster_name is 'WukongFargateStorage'"):
        published(deployed, ecs_cluster_name="WukongFargateStorage")
    with pytest.raises(ValueError, match="memory_mb is 512, which is for embedded clusters"):
        published(deployed, memory_mb=512)
    with pytest.warns(LegacyOptionWarning, match="a deployment on AWS is as Terraform has made it"):
        published(deployed, ecs_task_definition="WukongRedisNode:1")

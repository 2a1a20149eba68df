"""`wukong image` and `wukong cluster scale` and `cost`, against moto, with a `docker` that notes what it is told."""

from __future__ import annotations

import json
import re
import stat
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.integration.aws.amazon import CLUSTER, REGION, Amazon
from tests.integration.aws.root import Root, client
from tests.integration.aws.stage import ScalingStage
from tests.integration.scheduler_server.stage import TOKEN, diamond, until

from wukong.aws.deployment import Deployment
from wukong.cli.__main__ import main
from wukong.cli.exits import Exit
from wukong.cli.image import VARIABLES

DOCKER = """#!{python} -IS
import json, sys
from pathlib import Path
here, words = Path({here!r}), sys.argv[1:]
given = sys.stdin.read() if "--password-stdin" in words else ""
context = Path(words[-1])
files = {{path.name: path.read_text() for path in context.iterdir()}} if words[0] == "buildx" else {{}}
with (here / "told").open("a") as told:
    told.write(json.dumps([words, given, files]) + "\\n")
answers = json.loads((here / "docker.json").read_text())
for beginning, (code, said) in answers.items():
    if " ".join(words).startswith(beginning):
        print(said)
        sys.exit(code)
"""

HOST = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
REPOSITORY = f"{HOST}/wukong/wukong-executor"
DIGEST = "sha256:" + "ab" * 32
MANIFEST = json.dumps({"python": "3.11.9", "packages": {}, "image_digest": DIGEST, "functions": []})
ANSWERS = {
    "image inspect --format {{.Id}}": (0, "sha256:0123456789abcdef0123"),
    "image inspect --format {{json .RepoDigests}}": (0, json.dumps(["other/image@sha256:1", f"{REPOSITORY}@{DIGEST}"])),
    "run": (0, MANIFEST),
}
Told = Callable[[], list[tuple[list[str], str, dict[str, str]]]]


@pytest.fixture
def docker(root: Root) -> Told:
    """A `docker` on the PATH; returns what it was told so far: words, input, and files of the build's context."""
    folder = root.folder.parent
    program = folder / "bin/docker"
    program.write_text(DOCKER.format(python=sys.executable, here=str(folder)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / "docker.json").write_text(json.dumps(ANSWERS))
    return lambda: [json.loads(line) for line in (folder / "told").read_text().splitlines()]


def test_an_image_is_built_with_the_packages_of_a_file(
    docker: Told, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.txt").write_text("scikit-learn==1.9.1\n")
    words = ["--requirements", str(tmp_path / "r.txt"), "--base", "mine:1", "--tag", "new:2", "--architecture", "arm64"]
    assert main(["image", "build", *words]) == Exit.OK
    assert "`wukong image push new:2`" in capfd.readouterr().out
    ((words, _, files),) = docker()
    assert words[:6] == ["buildx", "build", "--provenance=false", "--sbom=false", "--load", "--platform=linux/arm64"]
    assert words[6:8] == ["--tag", "new:2"]
    assert files["requirements.txt"] == "scikit-learn==1.9.1\n"
    lines = files["Dockerfile"].splitlines()
    assert (lines[0], lines[-1]) == ("FROM mine:1", "USER wukong")
    assert "install" in files["Dockerfile"]


def test_a_build_that_cannot_be_is_told_plainly(
    docker: Told, tmp_path: Path, root: Root, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["image", "build", "--requirements", "nowhere.txt"]) == Exit.USAGE
    assert "--requirements is 'nowhere.txt', which cannot be read: No such file" in capfd.readouterr().err
    (tmp_path / "r.txt").write_text("")
    (tmp_path / "docker.json").write_text(json.dumps({"buildx": (1, "")}))
    assert main(["image", "build", "--requirements", str(tmp_path / "r.txt")]) == Exit.UNAVAILABLE
    assert "`docker buildx build` ended with 1; what it said is above" in capfd.readouterr().err
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["image", "build", "--requirements", str(tmp_path / "r.txt")]) == Exit.UNAVAILABLE
    assert "there is no program `docker` here" in capfd.readouterr().err


@pytest.fixture
def registry(root: Root, amazon: Amazon) -> Root:
    """The registry's root."""
    root.tell(region=REGION, repositories={"wukong-executor": REPOSITORY})
    return root


def test_a_pushed_image_is_told_with_its_digest_and_manifest(
    docker: Told, registry: Root, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["image", "push", "new:2", "--registry", str(registry.folder), "--json"]) == Exit.OK
    said = json.loads(capfd.readouterr().out)
    assert said["digest"] == DIGEST
    assert said["variables"] == {
        "images": {"wukong-executor": f"{REPOSITORY}@{DIGEST}"},
        "executor_runtime": MANIFEST,
    }
    told = docker()
    target = f"{REPOSITORY}:0123456789ab"
    assert [words for words, _, _ in told] == [
        ["image", "inspect", "--format", "{{.Id}}", "new:2"],
        ["login", "--username", "AWS", "--password-stdin", HOST],
        ["tag", "new:2", target],
        ["push", target],
        ["logout", HOST],
        ["image", "inspect", "--format", "{{json .RepoDigests}}", target],
        ["run", "--rm", "--entrypoint", "python", "new:2", "-m", "wukong_executor.manifest", "--image-digest", DIGEST],
    ]
    passwords = [given for _, given, _ in told if given]
    assert len(passwords) == 1  # moto's token is AWS: and its own password
    assert not any(passwords[0] in word for words, _, _ in told for word in words)


def test_a_push_writes_what_terraform_is_to_be_told(
    docker: Told, registry: Root, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environment = tmp_path / "dev"
    environment.mkdir()
    (environment / "main.tf").write_text("")
    before = {"architecture": "arm64", "images": {"wukong-executor": "old", "wukong-invoker": "stays"}}
    (environment / VARIABLES).write_text(json.dumps(before))
    words = ["image", "push", "--registry", str(registry.folder), "--terraform", str(environment)]
    assert main(words) == Exit.OK
    assert json.loads((environment / VARIABLES).read_text()) == {
        "architecture": "arm64",
        "images": {"wukong-executor": f"{REPOSITORY}@{DIGEST}", "wukong-invoker": "stays"},
        "executor_runtime": MANIFEST,
    }
    assert f"is in {environment / VARIABLES}" in capfd.readouterr().out
    (environment / VARIABLES).write_text("[]")
    assert main(words) == Exit.USAGE
    assert "is no file of variables" in capfd.readouterr().err


def test_a_push_that_fails_logs_out(docker: Told, registry: Root, capfd: pytest.CaptureFixture[str]) -> None:
    (registry.folder.parent / "docker.json").write_text(json.dumps({**ANSWERS, "push": (1, "denied")}))
    assert main(["image", "push", "--registry", str(registry.folder)]) == Exit.UNAVAILABLE
    assert "cannot be pushed: `docker push" in capfd.readouterr().err
    assert docker()[-1][0] == ["logout", HOST]


def test_a_registry_is_what_the_registrys_root_makes(
    docker: Told, root: Root, capfd: pytest.CaptureFixture[str]
) -> None:
    root.tell(client={})
    assert main(["image", "push", "--registry", str(root.folder)]) == Exit.UNAVAILABLE
    assert "makes no registry" in capfd.readouterr().err
    root.tell(region=REGION, repositories={"wukong-mine": REPOSITORY})
    assert main(["image", "push", "--registry", str(root.folder)]) == Exit.UNAVAILABLE
    assert "no repository for 'wukong-executor'; there are wukong-mine" in capfd.readouterr().err
    assert main(["image", "push", "--registry", str(root.folder.parent / "nowhere")]) == Exit.USAGE


@pytest.fixture
def there(stage: ScalingStage, monkeypatch: pytest.MonkeyPatch) -> ScalingStage:
    """The scheduler of commands."""
    stage.register("a")
    stage.start()
    monkeypatch.setenv("WUKONG_ADDRESS", stage.address)
    monkeypatch.setenv("WUKONG_TOKEN", TOKEN)
    return stage


def test_scale_has_nodes_started_and_waits_for_them(
    there: ScalingStage, amazon: Amazon, capsys: pytest.CaptureFixture[str]
) -> None:
    def start() -> None:
        until(lambda: amazon.wanted() == 2)
        there.register("a", "b")

    with ThreadPoolExecutor() as pool:
        started = pool.submit(start)
        assert main(["cluster", "scale", "--kvs", "2", "--json"]) == Exit.OK
        started.result()
    assert json.loads(capsys.readouterr().out) == {"kvs_nodes": 2}
    assert main(["cluster", "scale", "--kvs", "2"]) == Exit.OK
    assert capsys.readouterr().out.splitlines() == [
        "2 nodes answer, 2 run, there shall be 2",
        "The key-value store has 2 nodes.",
    ]


def test_scale_says_why_not(there: ScalingStage, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "scale", "--kvs", "17"]) == Exit.USAGE
    assert "kvs_nodes is 17, above the limit of 16" in capsys.readouterr().err
    assert main(["cluster", "scale", "--kvs", "-1"]) == Exit.USAGE


def test_cost_is_that_of_jobs_where_nothing_else_is_known(
    there: ScalingStage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", "cost"]) == Exit.OK
    assert capsys.readouterr().out == "jobs: 0 that the cluster knows have cost $0.00 for executors.\n"
    there.submit(diamond())
    assert main(["cluster", "cost", "--json"]) == Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert (said["jobs"], said["idle_usd_per_hour"]) == (1, None)


def test_cost_is_the_arithmetic_of_what_there_is(
    there: ScalingStage, amazon: Amazon, root: Root, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ecs = amazon.client("ecs")
    ecs.register_task_definition(
        family="scheduler",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="512",
        memory="1024",
        runtimePlatform={"cpuArchitecture": "ARM64"},
        containerDefinitions=[{"name": "scheduler", "image": "scheduler"}],
    )
    ecs.create_service(cluster=CLUSTER, serviceName="scheduler", taskDefinition="scheduler", desiredCount=2)
    told = client(there.address, "", amazon.secret(TOKEN))
    root.tell(client=told, billed={"load_balancer": 1, "interface_endpoint": 6, "something_new": 1})
    monkeypatch.setattr(Deployment, "address", f"grpc://{there.address}")  # which has no TLS here
    assert main(["cluster", "cost", "--json", "--terraform", str(root.folder)]) == Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert (said["prices"]["region"], said["region"]) == ("us-east-1", REGION)
    parts = {part["what"]: (part["count"], part["hourly"]) for part in said["parts"]}
    assert parts == {
        "scheduler (0.5 vCPU, 1 GB)": (2, pytest.approx(2 * (0.5 * 0.03238 + 0.00356))),
        f"{CLUSTER}-kvs (0 vCPU, 0 GB)": (0, 0.0),
        "load balancer": (1, 0.0225),
        "interface endpoint": (6, pytest.approx(0.06)),
        "something new": (1, None),
    }
    assert said["idle_usd_per_hour"] == pytest.approx(0.0395 + 0.0225 + 0.06)
    assert main(["cluster", "cost", "--terraform", str(root.folder)]) == Exit.OK
    shown = capsys.readouterr().out
    assert re.search(r"^together +\$0\.122 +\$89\.06$", shown, re.MULTILINE)
    assert "AWS's list prices of us-east-1, November 2025" in shown
    assert f"{REGION} has others: there is no table of it here." in shown


def test_a_cluster_is_named_once(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["cluster", "info", "--address", "127.0.0.1:1"]
    assert main([*words, "--terraform", str(root.folder)]) == Exit.USAGE
    assert "leave --address and --token away" in capsys.readouterr().err
    assert main(["cluster", "info", "--terraform", str(root.folder / "nowhere")]) == Exit.USAGE
    assert main(["up", "--terraform", str(root.folder)]) == Exit.USAGE

"""`make push`, `make deploy` and `make destroy` with programs and an AWS that write down what they are asked.

`docker`, `terraform` and `git` are scripts here. AWS is moto's server, which speaks the real APIs to the real boto3.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from deploy.certificate import FILE as CERTIFICATE
from deploy.images import PARTS
from deploy.pins import FILE, Pins
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[2]
ACCOUNT, REGION = "123456789012", "eu-central-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
CLIENT = {
    "name": "wukong-dev",
    "region": REGION,
    "executor_function": "wukong-dev-executor",
    "invoker_function": "wukong-dev-invoker",
    "ecs_cluster": "wukong-dev",
}
SECRETS = ("executor", "scheduler", "proxy", "kvs-node", "mds", "token")
VARIABLES = {
    "executor": ["WUKONG_SIGNING_KEY", "WUKONG_STORE_PASSWORD", "WUKONG_TOKEN"],
    "scheduler": ["WUKONG_SIGNING_KEY", "WUKONG_STORE_PASSWORD", "WUKONG_TOKEN"],
    "proxy": ["WUKONG_SIGNING_KEY", "WUKONG_STORE_PASSWORD", "WUKONG_TOKEN"],
    "kvs-node": ["WUKONG_STORE_PASSWORD", "WUKONG_STORE_USERS", "WUKONG_TOKEN"],
    "mds": ["WUKONG_STORE_PASSWORD", "WUKONG_STORE_USERS"],
}
MANIFEST = '{"python": "3.11.9"}'

#: Docker whose pushes reach the registry of moto, and Terraform with a state of two words.
PROGRAM = """#!{python} -IS
import json, os, sys
from pathlib import Path
here = Path({here!r})
name, words = Path(sys.argv[0]).name, sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(" ".join([name, *words]) + "\\n")
if name == "terraform":
    folder = Path(words[0].removeprefix("-chdir="))
    state = here / (folder.name + ".state")
    if words[1] == json.loads((here / "answers.json").read_text()).get("fails"):
        sys.exit("Error: it was told to fail")
    if words[1] == "apply":
        state.touch()
    elif words[1] == "destroy":
        state.unlink(missing_ok=True)
    elif words[1] == "output":
        outputs = json.loads((here / "answers.json").read_text())["outputs"][folder.name] if state.exists() else {{}}
        print(json.dumps({{key: {{"value": value}} for key, value in outputs.items()}}))
    elif words[1] == "show":
        print(json.dumps({{"values": {{"root_module": {{"resources": []}}}}}} if state.exists() else {{}}))
elif name == "git":
    print("0" * 40)
elif words[:2] == ["image", "inspect"]:
    import hashlib
    print("sha256:" + hashlib.sha256((words[-1] + (here / "source").read_text()).encode()).hexdigest())
elif words[0] == "run":
    print({manifest!r})
elif words[0] == "login":
    (here / "password").write_text(sys.stdin.read())
elif words[0] == "push":
    import hashlib
    from urllib.request import Request, urlopen
    repository, _, tag = words[-1].partition("/")[2].rpartition(":")
    # The digest follows from the layers.
    layer = {{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1,
              "digest": "sha256:" + hashlib.sha256(tag.encode()).hexdigest()}}
    manifest = {{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                 "config": layer, "layers": [layer]}}
    asked = {{"repositoryName": repository, "imageTag": tag, "imageManifest": json.dumps(manifest)}}
    urlopen(Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(asked).encode(), {{
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.PutImage",
        "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20200101/{region}/ecr/aws4_request",
    }})).close()
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def environ(aws: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    settings = {
        "AWS_ENDPOINT_URL": aws,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


class Checkout:
    """A checkout with a Terraform of two environments, and the programs that are called there."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self._environ = environ
        self.terraform = folder / "terraform"
        for root in ("registry", "environments/dev", "environments/prod"):
            (self.terraform / root).mkdir(parents=True)
            (self.terraform / root / "main.tf").touch()
        (folder / "deploy").symlink_to(ROOT / "deploy")
        self.programs = folder / "programs"
        self.programs.mkdir()
        (folder / "source").write_text("first")
        text = PROGRAM.format(python=sys.executable, here=str(folder), manifest=MANIFEST, region=REGION)
        for name in ("docker", "terraform", "git"):
            (self.programs / name).write_text(text)
            (self.programs / name).chmod(0o755)
        self.answer()

    def answer(self, fails: str = "") -> None:
        repositories = {f"wukong-{part}": f"{HOST}/wukong/{part}" for part in PARTS}
        manager = boto3.client("secretsmanager", region_name=REGION)
        secrets = {one["Name"].rpartition("/")[2]: one["ARN"] for one in manager.list_secrets()["SecretList"]}
        outputs = {
            "registry": {"repositories": repositories, "region": REGION},
            "dev": {"client": CLIENT, "secrets": {"arns": secrets, "variables": VARIABLES}},
        }
        (self.folder / "answers.json").write_text(json.dumps({"outputs": outputs, "fails": fails}))

    def deploy(self, *words: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
        program = (
            "import sys; from pathlib import Path; import deploy.__main__ as main, deploy.environment as environment;"
            "find = environment.Environment.find;"
            f"environment.Environment.find = lambda name: find(name, Path({str(self.terraform)!r}));"
            "sys.exit(main.main())"
        )
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            cwd=ROOT,
            env={**os.environ, **self._environ, "PATH": f"{self.programs}{os.pathsep}{path}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self, pick: Callable[[str], bool] = lambda call: True) -> list[str]:
        """What the programs were asked since this was asked last."""
        file = self.folder / "calls"
        found = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [call.replace(f"{self.terraform}/", "") for call in found if pick(call)]

    def pins(self, environment: str = "dev") -> Pins | None:
        return Pins.read(self.terraform / "environments" / environment)


@pytest.fixture
def checkout(tmp_path: Path, environ: dict[str, str]) -> Iterator[Checkout]:
    ecr = boto3.client("ecr", region_name=REGION)
    for part in PARTS:
        ecr.create_repository(repositoryName=f"wukong/{part}", imageTagMutability="IMMUTABLE")
    manager = boto3.client("secretsmanager", region_name=REGION)
    arns = [manager.create_secret(Name=f"wukong-dev/{part}")["ARN"] for part in SECRETS]
    yield Checkout(tmp_path, environ)
    for part in PARTS:
        ecr.delete_repository(repositoryName=f"wukong/{part}", force=True)
    for arn in arns:
        manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def pushes(call: str) -> bool:
    return call.startswith("docker push")


def changes(call: str) -> bool:
    return call.startswith("terraform") and call.split()[2] in ("apply", "destroy")


def test_deploy_makes_the_registry_then_images_then_the_environment(checkout: Checkout) -> None:
    ran = checkout.deploy("apply", "--environment", "dev", "--yes")
    assert ran.returncode == 0, ran.stderr
    calls = checkout.calls()
    order = [call for call in calls if changes(call) or pushes(call) or "bake" in call]
    assert order[0] == "terraform -chdir=registry apply -input=false -auto-approve"
    assert order[1].startswith("docker buildx bake --load --provenance=false --sbom=false")
    assert [pushes(call) for call in order[2:7]] == [True] * 5
    assert order[7:] == ["terraform -chdir=environments/dev apply -input=false -auto-approve"]
    assert 'Client.from_terraform("terraform/environments/dev")' in ran.stdout
    pins = checkout.pins()
    assert pins is not None
    assert (pins.architecture, pins.executor_runtime) == ("x86_64", MANIFEST)
    ecr = boto3.client("ecr", region_name=REGION)
    for part in PARTS:
        url, _, digest = pins.images[f"wukong-{part}"].partition("@")
        assert url == f"{HOST}/wukong/{part}"
        (image,) = ecr.describe_images(repositoryName=f"wukong/{part}")["imageDetails"]
        assert image["imageDigest"] == digest
    assert (checkout.folder / "password").read_text()
    assert [call for call in calls if "login" in call or "logout" in call] == [
        f"docker login --username AWS --password-stdin {HOST}",
        f"docker logout {HOST}",
    ]
    assert not any(word in call for word in ("--password ", "-p ") for call in calls), "seen in the list of processes"
    (manifest,) = [call for call in calls if call.startswith("docker run")]
    assert manifest.endswith(f"--image-digest {pins.images['wukong-executor'].partition('@')[2]}")


def test_a_second_time_nothing_is_pushed(checkout: Checkout) -> None:
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    first = checkout.pins()
    checkout.calls()
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    assert checkout.pins() == first
    assert checkout.calls(lambda call: pushes(call) or "log" in call.split()[1]) == []


def test_what_has_changed_is_pushed_beside_what_was(checkout: Checkout) -> None:
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    first = checkout.pins()
    checkout.calls()
    (checkout.folder / "source").write_text("second")
    assert checkout.deploy("push", "--environment", "dev").returncode == 0
    calls = checkout.calls()
    assert [pushes(call) for call in calls].count(True) == 5
    assert len([call for call in calls if "login" in call]) == 1
    assert not any(changes(call) for call in calls), "push changes no environment"
    second = checkout.pins()
    assert first is not None
    assert second is not None
    assert not set(first.images.values()) & set(second.images.values())
    ecr = boto3.client("ecr", region_name=REGION)
    assert len(ecr.describe_images(repositoryName="wukong/executor")["imageDetails"]) == 2


def test_the_architecture_stays_what_it_was(checkout: Checkout) -> None:
    assert checkout.deploy("apply", "--environment", "dev", "--yes", "--architecture", "arm64").returncode == 0
    assert checkout.deploy("push", "--environment", "dev").returncode == 0
    assert [("linux/arm64" in call) for call in checkout.calls() if "bake" in call] == [True, True]


def secrets() -> dict[str, str]:
    manager = boto3.client("secretsmanager", region_name=REGION)
    return {part: manager.get_secret_value(SecretId=f"wukong-dev/{part}")["SecretString"] for part in SECRETS}


@pytest.fixture
def started() -> Iterator[Callable[[], list[str]]]:
    """A service and the functions, as the environment makes them; and their versions, which change when they start."""
    ecs, functions = boto3.client("ecs", region_name=REGION), boto3.client("lambda", region_name=REGION)
    iam = boto3.client("iam", region_name=REGION)
    role = iam.create_role(RoleName="wukong-dev", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    ecs.create_cluster(clusterName="wukong-dev")
    ecs.register_task_definition(family="scheduler", containerDefinitions=[{"name": "s", "image": "s", "memory": 64}])
    ecs.create_service(cluster="wukong-dev", serviceName="scheduler", taskDefinition="scheduler", desiredCount=1)
    names = [CLIENT["executor_function"], CLIENT["invoker_function"]]
    for name in names:
        image = {"ImageUri": f"{HOST}/wukong/executor@sha256:{'0' * 64}"}
        functions.create_function(FunctionName=name, Role=role, PackageType="Image", Code=image)

    def versions() -> list[str]:
        service = ecs.describe_services(cluster="wukong-dev", services=["scheduler"])["services"][0]
        about = [functions.get_function_configuration(FunctionName=name)["Description"] for name in names]
        return [*(deployment["id"] for deployment in service["deployments"]), *about]

    yield versions
    for name in names:
        functions.delete_function(FunctionName=name)
    ecs.delete_service(cluster="wukong-dev", service="scheduler", force=True)
    ecs.delete_cluster(cluster="wukong-dev")
    iam.delete_role(RoleName="wukong-dev")


def test_secrets_get_values_once(checkout: Checkout, started: Callable[[], list[str]]) -> None:
    before = started()
    ran = checkout.deploy("apply", "--environment", "dev", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert started() == before, "what waits for its first secrets is not started again"
    made = secrets()
    assert json.loads(made["executor"])["WUKONG_TOKEN"] == made["token"]
    assert not any(value in ran.stdout + ran.stderr for value in made.values())
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    assert secrets() == made
    assert started() == before


def test_new_secrets_start_everything_again(checkout: Checkout, started: Callable[[], list[str]]) -> None:
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    made, before = secrets(), started()
    ran = checkout.deploy("apply", "--environment", "dev", "--yes", "--rotate")
    assert ran.returncode == 0, ran.stderr
    assert not set(made.values()) & set(secrets().values())
    assert started()[-2:] != before[-2:]
    assert "started again with them: scheduler, wukong-dev-executor, wukong-dev-invoker" in ran.stderr


def test_without_a_registry_a_push_says_what_makes_one(checkout: Checkout) -> None:
    ran = checkout.deploy("push", "--environment", "dev")
    assert ran.returncode == 1
    assert "there is no registry yet: `make deploy` makes it" in ran.stderr
    assert checkout.calls(lambda call: call.startswith("docker")) == []


def test_nobody_is_asked_where_nobody_is(checkout: Checkout) -> None:
    ran = checkout.deploy("apply", "--environment", "dev")
    assert ran.returncode == 1
    assert "YES=1 approves of it" in ran.stderr
    assert checkout.calls(changes) == ["terraform -chdir=registry apply -input=false -auto-approve"]


def test_a_program_that_fails_ends_it(checkout: Checkout) -> None:
    checkout.answer(fails="init")
    ran = checkout.deploy("apply", "--environment", "dev", "--yes")
    assert ran.returncode == 1
    assert "terraform -chdir=" in ran.stderr
    assert "ended with 1" in ran.stderr
    assert checkout.pins() is None


def test_a_program_that_is_missing_is_named(checkout: Checkout) -> None:
    (checkout.programs / "terraform").unlink()
    ran = checkout.deploy("push", "--environment", "dev", path=str(checkout.folder / "nowhere"))
    assert ran.returncode == 1
    assert "there is no program `terraform` here: install Terraform" in ran.stderr


def test_a_certificate_of_ones_own(checkout: Checkout) -> None:
    """Made once, made anew under its name, and gone with the environment."""
    assert checkout.deploy("certificate", "--environment", "dev").returncode == 0
    file = checkout.terraform / "environments/dev" / CERTIFICATE
    first = json.loads(file.read_text())
    acm = boto3.client("acm", region_name=REGION)
    (listed,) = acm.list_certificates()["CertificateSummaryList"]
    assert listed["CertificateArn"] == first["certificate_arn"]
    names = acm.describe_certificate(CertificateArn=listed["CertificateArn"])["Certificate"]["SubjectAlternativeNames"]
    assert names == [f"*.elb.{REGION}.amazonaws.com"]
    before = acm.get_certificate(CertificateArn=listed["CertificateArn"])["Certificate"]
    assert checkout.deploy("certificate", "--environment", "dev").returncode == 0
    assert json.loads(file.read_text()) == first, "clients keep the authority that they know"
    assert acm.get_certificate(CertificateArn=listed["CertificateArn"])["Certificate"] != before
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    assert checkout.deploy("destroy", "--environment", "dev", "--yes").returncode == 0
    assert acm.list_certificates()["CertificateSummaryList"] == []
    assert not file.exists()


def test_an_image_of_ones_own_is_the_executors(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    first = checkout.pins()
    checkout.calls()
    monkeypatch.setenv("WUKONG_EXECUTOR_IMAGE", "my-executor")
    assert checkout.deploy("push", "--environment", "dev").returncode == 0
    second = checkout.pins()
    assert first is not None
    assert second is not None
    assert {name for name in first.images if first.images[name] != second.images[name]} == {"wukong-executor"}
    assert any("my-executor -m wukong_executor.manifest" in call for call in checkout.calls())


def test_destroy_takes_all_of_it(checkout: Checkout) -> None:
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    logs = boto3.client("logs", region_name=REGION)
    late, others = (f"/aws/ecs/containerinsights/{name}/performance" for name in ("wukong-dev", "wukong-dev-2"))
    for name in (late, others):
        logs.create_log_group(logGroupName=name)
    checkout.calls()
    ran = checkout.deploy("destroy", "--environment", "dev", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert checkout.calls(changes) == [
        "terraform -chdir=environments/dev destroy -input=false -auto-approve",
        "terraform -chdir=registry destroy -input=false -auto-approve",
    ]
    assert checkout.pins() is None
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    logs.delete_log_group(logGroupName=others)
    assert groups == [others]
    assert f"removed the log group {late}" in ran.stderr
    again = checkout.deploy("destroy", "--environment", "dev", "--yes")
    assert again.returncode == 0, again.stderr


def test_what_aws_still_has_is_told(checkout: Checkout) -> None:
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    secrets = boto3.client("secretsmanager", region_name=REGION)
    kept = secrets.create_secret(
        Name="wukong-dev-token", SecretString="x", Tags=[{"Key": "Deployment", "Value": "wukong-dev"}]
    )["ARN"]
    ran = checkout.deploy("destroy", "--environment", "dev", "--yes")
    secrets.delete_secret(SecretId=kept, ForceDeleteWithoutRecovery=True)
    assert ran.returncode == 0, ran.stderr
    assert kept in ran.stderr


def test_the_registry_stays_while_another_environment_needs_it(checkout: Checkout) -> None:
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    assert checkout.deploy("push", "--environment", "prod").returncode == 0
    checkout.calls()
    ran = checkout.deploy("destroy", "--environment", "dev", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert "the registry stays: prod has its images there" in ran.stderr
    assert checkout.calls(changes) == ["terraform -chdir=environments/dev destroy -input=false -auto-approve"]
    assert checkout.pins("prod") is not None


def test_pins_that_are_gone_are_asked_for_before_anything_is_destroyed(checkout: Checkout) -> None:
    assert checkout.deploy("apply", "--environment", "dev", "--yes").returncode == 0
    (checkout.terraform / "environments/dev" / FILE).unlink()
    checkout.calls()
    ran = checkout.deploy("destroy", "--environment", "dev", "--yes")
    assert ran.returncode == 1
    assert "`make push` writes it again" in ran.stderr
    assert checkout.calls(changes) == []


def test_what_aws_refuses_is_one_line(checkout: Checkout) -> None:
    boto3.client("ecr", region_name=REGION).delete_repository(repositoryName="wukong/executor", force=True)
    ran = checkout.deploy("apply", "--environment", "dev", "--yes")
    boto3.client("ecr", region_name=REGION).create_repository(repositoryName="wukong/executor")
    assert ran.returncode == 1
    assert "deploy: AWS refuses: " in ran.stderr
    assert "Traceback" not in ran.stderr

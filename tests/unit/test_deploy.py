"""Names, tags, digests and secrets on the way to AWS; pure."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from deploy.environment import Environment
from deploy.failed import Failed
from deploy.images import PARTS, Repository, bake, image_name, local_tag, remote_tag, repositories
from deploy.leftovers import log_groups
from deploy.pins import FILE, Pins
from deploy.secrets import CERTIFICATE, contents

from wukong.cluster.roles import Role, digest

ROOT = Path(__file__).parents[2]
HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
PINS = Pins("arm64", {"wukong-executor": f"{HOST}/wukong/executor@sha256:{'a' * 64}"}, '{"python": "3.11.9"}')


def test_every_image_but_the_emulator_runs_on_aws() -> None:
    folders = {path.parent.name for path in ROOT.glob("[sf]*/*/Dockerfile")}
    assert folders - set(PARTS) == {"lambda-emulator"}
    assert set(PARTS) <= folders


@pytest.mark.parametrize(("architecture", "platform"), [("x86_64", "linux/amd64"), ("arm64", "linux/arm64")])
def test_images_are_built_for_the_function_and_without_attestations(architecture: str, platform: str) -> None:
    words = bake(architecture)
    assert words[:3] == ["docker", "buildx", "bake"]
    assert {"--provenance=false", "--sbom=false", f"*.platform={platform}"} <= set(words)
    assert words[-5:] == list(PARTS)
    assert local_tag(architecture) != "latest", "Compose's images stay as they are"


def test_an_architecture_that_lambda_does_not_have_is_refused() -> None:
    with pytest.raises(Failed, match="x86_64 or arm64, and not 'amd64'"):
        bake("amd64")


def test_a_tag_follows_from_the_image() -> None:
    assert remote_tag("sha256:" + "0123456789abcdef" * 4 + "\n") == "0123456789ab"
    with pytest.raises(Failed, match="'latest' where the id"):
        remote_tag("latest")


def test_a_repository_is_read_from_its_url() -> None:
    found = Repository.parse(f"{HOST}/wukong/executor")
    assert found == Repository(HOST, "123456789012", "eu-central-1", "wukong/executor")
    assert found.url == f"{HOST}/wukong/executor"


@pytest.mark.parametrize("url", ["docker.io/wukong", f"https://{HOST}/wukong", HOST, ""])
def test_what_is_no_repository_is_refused(url: str) -> None:
    with pytest.raises(Failed, match="is no repository of ECR"):
        Repository.parse(url)


def test_a_repository_that_is_missing_is_named() -> None:
    outputs = {image_name(part): f"{HOST}/wukong/{part}" for part in PARTS}
    assert list(repositories(outputs)) == [f"wukong-{part}" for part in PARTS]
    del outputs["wukong-invoker"]
    with pytest.raises(Failed, match="no repository for wukong-invoker"):
        repositories(outputs)


def test_repositories_are_in_one_registry() -> None:
    outputs = {image_name(part): f"{HOST}/wukong/{part}" for part in PARTS}
    outputs["wukong-scheduler"] = outputs["wukong-scheduler"].replace("eu-central-1", "us-east-1")
    with pytest.raises(Failed, match="in several registries"):
        repositories(outputs)


def test_pins_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert Pins.read(tmp_path) is None
    file = PINS.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert Pins.read(tmp_path) == PINS
    assert json.loads(file.read_text()).keys() == {"architecture", "images", "executor_runtime"}


@pytest.mark.parametrize("text", ["", "[]", '{"architecture": "arm64"}'])
def test_damaged_pins_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(Failed, match="remove it, and `make push` writes it anew"):
        Pins.read(tmp_path)


def test_pins_are_not_in_git() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert FILE.endswith(".auto.tfvars.json")
    assert "*.auto.tfvars.json" in ignored


def environments(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / "environments" / name).mkdir(parents=True)
        (folder / "environments" / name / "main.tf").touch()
    return folder


def test_an_environment_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    environments(tmp_path, "dev", "prod")
    assert Environment.find("dev", tmp_path).folder == tmp_path / "environments/dev"
    with pytest.raises(Failed, match=r"no environment 'test'.*ENVIRONMENT=dev\|prod"):
        Environment.find("test", tmp_path)


def test_others_are_those_that_images_were_pushed_for(tmp_path: Path) -> None:
    environments(tmp_path, "dev", "prod")
    dev = Environment.find("dev", tmp_path)
    PINS.write(dev.folder)
    assert dev.others() == []
    PINS.write(tmp_path / "environments/prod")
    assert dev.others() == ["prod"]


def test_log_groups_are_named_exactly() -> None:
    """A prefix would take those of a deployment `wukong-dev-2`, too."""
    assert log_groups({"ecs_cluster": "wukong-dev"}) == ["/aws/ecs/containerinsights/wukong-dev/performance"]


def chance(begin: int = 0) -> Callable[[int], str]:
    numbers = itertools.count(begin)
    return lambda size: f"{next(numbers):0{2 * size}x}"


def never() -> dict[str, str]:
    raise AssertionError("nobody asked for a certificate")


_COMMON = ["WUKONG_SIGNING_KEY", "WUKONG_STORE_PASSWORD", "WUKONG_TOKEN"]
VARIABLES = {
    "executor": _COMMON,
    "scheduler": _COMMON,
    "proxy": _COMMON,
    "kvs-node": ["WUKONG_STORE_PASSWORD", "WUKONG_STORE_USERS", "WUKONG_TOKEN"],
    "mds": ["WUKONG_STORE_PASSWORD", "WUKONG_STORE_USERS"],
}


def parts(made: dict[str, str]) -> dict[str, dict[str, str]]:
    return {part: json.loads(text) for part, text in made.items() if part != "token"}


def test_each_part_has_what_it_needs_and_no_more() -> None:
    made = contents({}, VARIABLES, chance(), never)
    assert {part: list(values) for part, values in parts(made).items()} == VARIABLES
    keys = {values["WUKONG_SIGNING_KEY"] for values in parts(made).values() if "WUKONG_SIGNING_KEY" in values}
    assert len(keys) == 1
    assert {values["WUKONG_TOKEN"] for values in parts(made).values() if "WUKONG_TOKEN" in values} == {made["token"]}
    assert len(bytes.fromhex(made["token"])) == 16
    assert len(bytes.fromhex(parts(made)["executor"]["WUKONG_SIGNING_KEY"])) == 32
    assert len({values["WUKONG_STORE_PASSWORD"] for values in parts(made).values()}) == 4, "nodes and MDS: one role"


@pytest.mark.parametrize("part", ["kvs-node", "mds"])
def test_stores_know_the_hash_of_each_password(part: str) -> None:
    made = parts(contents({}, VARIABLES, chance(), never))
    hashes = dict(re.findall(r"^user (\w+) on #(\w+) ", made[part]["WUKONG_STORE_USERS"], re.MULTILINE))
    assert hashes.keys() == set(Role)
    for name in ("executor", "scheduler", "proxy"):
        assert hashes[name] == digest(made[name]["WUKONG_STORE_PASSWORD"])
    assert hashes["node"] == digest(made[part]["WUKONG_STORE_PASSWORD"])
    assert "user default off" in made[part]["WUKONG_STORE_USERS"]
    assert not any(password in json.dumps(made[part]) for password in (made["proxy"]["WUKONG_STORE_PASSWORD"],))


def test_what_nobody_can_make_is_told() -> None:
    with pytest.raises(Failed, match="nobody here can make WUKONG_OTHER of the part mds"):
        contents({}, VARIABLES | {"mds": ["WUKONG_STORE_USERS", "WUKONG_OTHER"]}, chance(), never)


def test_what_is_there_stays() -> None:
    made = contents({}, VARIABLES, chance(), never)
    assert contents(made, VARIABLES, chance(1000), never) == made


@pytest.mark.parametrize("part", ["executor", "scheduler", "proxy", "kvs-node", "mds", "token"])
def test_what_is_missing_is_made_to_fit(part: str) -> None:
    """A password that is lost is made anew, and the stores are told."""
    made = contents({}, VARIABLES, chance(), never)
    again = contents({name: text for name, text in made.items() if name != part}, VARIABLES, chance(1000), never)
    assert again.keys() == made.keys()
    for name in ("executor", "scheduler", "proxy"):
        for store in ("kvs-node", "mds"):
            assert digest(parts(again)[name]["WUKONG_STORE_PASSWORD"]) in parts(again)[store]["WUKONG_STORE_USERS"]
    if part in ("kvs-node", "mds"):
        assert again == made, "the other one has all that it has"


def test_rights_of_a_new_release_come_with_the_old_passwords() -> None:
    made = contents({}, VARIABLES, chance(), never)
    old = {part: text.replace("+mget", "") for part, text in made.items()}
    assert old != made
    assert contents(old, VARIABLES, chance(1000), never) == made


def test_a_certificate_is_made_once_and_for_all() -> None:
    given = dict.fromkeys(CERTIFICATE, "first")
    variables = VARIABLES | {"mds": [*VARIABLES["mds"], *CERTIFICATE], "executor": [*_COMMON, "WUKONG_STORE_CA"]}
    made = contents({}, variables, chance(), lambda: given)
    assert {parts(made)["mds"][name] for name in CERTIFICATE} == {"first"}
    assert parts(made)["executor"]["WUKONG_STORE_CA"] == "first"
    assert contents(made, variables, chance(1000), never) == made
    lost = {part: text for part, text in made.items() if part != "mds"}
    again = parts(contents(lost, variables, chance(1000), lambda: dict.fromkeys(CERTIFICATE, "second")))
    assert again["mds"]["WUKONG_STORE_KEY"] == again["executor"]["WUKONG_STORE_CA"] == "second"

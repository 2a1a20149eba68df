"""The shape of the Compose file: who starts after whom, what is published, what nobody may do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from wukong import settings
from wukong.cluster import secret_files
from wukong_lambda_emulator import container, function_settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose/compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
ONCE = {"secrets", "executor"}
NEVER = {"environment", "executor-image", "invoker"}
LASTING = {"mds", "kvs-proxy", "kvs-node", "scheduler", "lambda-emulator"}


def defaults(text: str) -> str:
    """As it is where no variable is set."""
    while (told := re.sub(r"\$\{\w+(?::-([^${}]*)|:\+[^${}]*)?\}", r"\1", text)) != text:
        text = told
    return text


def test_the_root_includes_it() -> None:
    root = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert root == {"name": COMPOSE["name"], "include": ["compose/compose.yaml"]}


def test_the_parts() -> None:
    assert SERVICES.keys() == ONCE | LASTING | NEVER
    assert SERVICES["kvs-node"]["scale"] == 2
    assert {name for name, service in SERVICES.items() if service.get("scale") == 0} == NEVER
    assert container.SERVICE in NEVER


def test_only_the_scheduler_and_the_proxy_are_published_and_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"scheduler", "kvs-proxy"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


@pytest.mark.parametrize("name", sorted(ONCE | LASTING))
def test_containers_have_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert ("user" in service) == (name == "lambda-emulator")
    assert any("docker.sock" in str(volume) for volume in service.get("volumes", ())) == (name == "lambda-emulator")


def test_whoever_waits_waits_for_health_or_an_end() -> None:
    for name, service in SERVICES.items():
        for other, condition in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert condition["condition"] == wanted, name


def test_the_scheduler_comes_last() -> None:
    before: set[str] = set()
    waiting = ["scheduler"]
    while waiting:
        for other in SERVICES[waiting.pop()].get("depends_on", {}):
            before.add(other)
            waiting.append(other)
    assert before == (ONCE | LASTING) - {"scheduler"}


def test_executors_are_of_the_image_that_is_built_unless_the_user_has_another() -> None:
    built = SERVICES["executor-image"]["image"]
    for name in ("executor", container.SERVICE):
        assert SERVICES[name]["image"] == f"${{WUKONG_EXECUTOR_IMAGE:-{built}}}"
        assert "build" not in SERVICES[name]
    assert SERVICES["scheduler"]["depends_on"]["executor"]["restart"] is True, "it reads the manifest at its start"


def test_no_secret_is_in_the_file() -> None:
    secrets = [value for value in vars(settings).values() if isinstance(value, settings.Variable) and value.secret]
    for secret in secrets:
        assert not re.search(rf"\b{secret.name}\b\W*:", TEXT)


@pytest.mark.parametrize("name", sorted(LASTING))
def test_variables_are_known(name: str) -> None:
    known = {value.name for value in vars(settings).values() if isinstance(value, settings.Variable)}
    assert {variable.removesuffix("_FILE") for variable in SERVICES[name]["environment"]} <= known


def test_each_part_sees_its_own_secrets_and_comes_to_the_stores_as_itself() -> None:
    everything = {volume.partition(":")[0] for volume in SERVICES["secrets"]["volumes"]}
    assert everything == {"secrets", *secret_files.PARTS}
    roles = {"mds": "node", "kvs-proxy": "proxy", "kvs-node": "node", "scheduler": "scheduler"}
    for name in LASTING:
        volumes = [volume for volume in SERVICES[name].get("volumes", ()) if isinstance(volume, str)]
        seen = {volume.partition(":")[0]: volume for volume in volumes}
        assert seen.keys() & everything == {roles[name]} if name in roles else not seen.keys() & everything
        if name in roles:
            assert seen[roles[name]].endswith(":/run/wukong:ro")
            assert SERVICES[name]["environment"]["WUKONG_STORE_USER"] == roles[name]
    functions = SERVICES["lambda-emulator"]["environment"]["WUKONG_FUNCTIONS"]
    assert '"WUKONG_STORE_USER": "executor"' in functions
    assert '"volumes": {"/run/wukong": "${COMPOSE_PROJECT_NAME}_executor"}' in functions


def test_the_functions_are_what_the_emulator_reads() -> None:
    text = defaults(SERVICES["lambda-emulator"]["environment"]["WUKONG_FUNCTIONS"])
    functions = function_settings.parse(text)
    assert {name: function.image for name, function in functions.items()} == {
        name: f"{name}:latest" for name in ("wukong-executor", "wukong-invoker")
    }
    known = {value.name for value in vars(settings).values() if isinstance(value, settings.Variable)}
    for function in functions.values():
        variables = {variable.removesuffix("_FILE") for variable in function.environment}
        assert {variable for variable in variables if not variable.startswith("AWS_")} <= known
    invoker = json.dumps(dict(functions["wukong-invoker"].environment))
    assert "FILE" not in invoker, "the invoker needs no secret"

"""What the docker provider asks for, and what it makes of the engine's answers."""

import pytest

from wukong_lambda_emulator import function_settings
from wukong_lambda_emulator.container import ended, labels, options, used_bytes
from wukong_lambda_emulator.launch import Launch
from wukong_lambda_emulator.provider import Exit

LAUNCH = Launch(
    "module.handler",
    {"WUKONG_MDS_ADDRESS": "mds:6379"},
    "",
    256 << 20,
    image="wukong-executor",
    tmp_bytes=512 << 20,
    volumes={"/run/wukong": "p_secrets"},
)


def test_a_container_has_the_memory_of_the_function_and_no_rights() -> None:
    asked = options(LAUNCH, "p_default", "p")
    assert asked["image"] == "wukong-executor"
    assert asked["command"] == ["module.handler"]
    assert asked["environment"] == {"WUKONG_MDS_ADDRESS": "mds:6379"}
    assert (asked["mem_limit"], asked["memswap_limit"]) == (256 << 20, 256 << 20)
    assert asked["tmpfs"] == {"/tmp": "rw,exec,nosuid,nodev,mode=1777,size=536870912"}
    assert (asked["read_only"], asked["cap_drop"], asked["security_opt"]) == (True, ["ALL"], ["no-new-privileges"])
    assert asked["volumes"] == {"p_secrets": {"bind": "/run/wukong", "mode": "ro"}}
    assert asked["network"] == "p_default"
    assert "working_dir" not in asked


def test_compose_takes_a_container_for_one_of_a_service_that_it_starts_none_of() -> None:
    assert labels("p") == {
        "wukong.environment": "p",
        "com.docker.compose.project": "p",
        "com.docker.compose.service": "environment",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.container-number": "1",
        "com.docker.compose.config-hash": "none",
    }


@pytest.mark.parametrize(
    ("code", "oom_killed", "end"),
    [
        (0, False, Exit(0)),
        (1, False, Exit(1)),
        (127, False, Exit(127)),
        (137, False, Exit(-9)),
        (137, True, Exit(-9, out_of_memory=True)),
        (139, False, Exit(-11)),
        (1, True, Exit(1)),  # a child of the function's was killed, and the function went on
        (255, False, Exit(255)),
    ],
)
def test_ends_are_told_as_those_of_processes(code: int, oom_killed: bool, end: Exit) -> None:
    assert ended(code, oom_killed) == end


def test_memory_is_without_what_the_kernel_may_forget() -> None:
    version1 = {"memory_stats": {"usage": 1000, "stats": {"total_inactive_file": 300, "inactive_file": 1}}}
    version2 = {"memory_stats": {"usage": 1000, "stats": {"inactive_file": 300}}}
    assert used_bytes(version1) == used_bytes(version2) == 700
    assert used_bytes({"memory_stats": {}}) == 0


def test_an_image_and_its_volumes_are_settings() -> None:
    text = '{"f": {"handler": "m.h", "image": "i", "tmp_mb": 64, "volumes": {"/run/wukong": "secrets"}}}'
    function = function_settings.parse(text)["f"]
    assert (function.image, function.tmp_mb, function.volumes) == ("i", 64, {"/run/wukong": "secrets"})


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ('"volumes": {"/run": "v"}', "'f' has volumes and no image"),
        ('"image": "i", "volumes": {"run": "v"}', "'run': 'v', not a folder and a volume's name"),
        ('"image": "i", "volumes": {"/run": 1}', "'/run': 1, not a folder"),
        ('"image": "i", "stores": ["mds:6379"], "store_seconds": 1', "only processes can have that"),
    ],
)
def test_settings_that_containers_cannot_have_are_refused(settings: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        function_settings.parse('{"f": {"handler": "m.h", ' + settings + "}}")

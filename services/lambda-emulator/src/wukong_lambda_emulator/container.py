"""What a container that is an environment looks like to Docker, and how its end is understood. Pure."""

from __future__ import annotations

from typing import Any

from wukong_lambda_emulator.launch import Launch
from wukong_lambda_emulator.provider import Exit

#: What an environment's processes and threads may count together, as on Lambda.
PROCESSES = 1024
#: The service of the Compose project as whose containers environments pass: `docker compose down` removes them,
#: whatever became of the emulator.
SERVICE = "environment"
_KILLED = 9
_SIGNALS = 65


def labels(project: str) -> dict[str, str]:
    """The labels of environments, and of nothing else of the project."""
    return {
        "wukong.environment": project,
        "com.docker.compose.project": project,
        "com.docker.compose.service": SERVICE,
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.container-number": "1",
        # Compose does not look at containers without one.
        "com.docker.compose.config-hash": "none",
    }


def options(launch: Launch, network: str, project: str) -> dict[str, Any]:
    """The arguments of the SDK's `containers.create`."""
    return {
        "image": launch.image,
        "command": [launch.handler],
        "environment": dict(launch.variables),
        "labels": labels(project),
        "network": network,
        "mem_limit": launch.memory_bytes,
        "memswap_limit": launch.memory_bytes,
        "pids_limit": PROCESSES,
        "read_only": True,
        "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={launch.tmp_bytes}"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "volumes": {volume: {"bind": folder, "mode": "ro"} for folder, volume in launch.volumes.items()},
        "healthcheck": {"test": ["NONE"]},
        "log_config": {"type": "json-file", "config": {"max-size": "1m"}},
        **({"working_dir": launch.directory} if launch.directory else {}),
    }


def ended(code: int, oom_killed: bool) -> Exit:
    """How an environment ended, given what Docker says of its container.

    Args:
        code: The exit code; 128 and a signal's number where that ended the first process.
        oom_killed: Whether the kernel ended a process of it because its memory was used up. Only where the first
            process was killed was that the environment's end.
    """
    status = 128 - code if 128 < code < 128 + _SIGNALS else code
    return Exit(status, out_of_memory=oom_killed and status == -_KILLED)


def used_bytes(stats: dict[str, Any]) -> int:
    """The memory that a container holds, by Docker's statistics; without files that the kernel may forget."""
    memory = stats.get("memory_stats", {})
    details = memory.get("stats", {})
    forgettable = details.get("total_inactive_file", details.get("inactive_file", 0))
    return int(max(memory.get("usage", 0) - forgettable, 0))

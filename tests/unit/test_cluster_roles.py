"""What each role may do in the stores, compared with what its part asks for: no less, and little more."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from wukong.cluster.roles import RIGHTS, Role, digest, users

#: The scripts that each role calls, by file.
SCRIPTS = {
    Role.EXECUTOR: {"begin", "sync", "values", "renew", "offload", "seek", "heal", "fail"},
    Role.SCHEDULER: {
        *("create", "open", "sweep", "lose_results", "lost", "restart", "close", "bury", "prolong"),
        *("hold_input", "drop_input"),
    },
    Role.PROXY: {"renew", "offload", "values", "hold_input", "place_input", "lose_input"},
    Role.CLIENT: {"hold_input", "place_input", "lose_input", "drop_input"},
}

#: What they ask the metadata store for beside that (`wukong.mds.redis`).
PLAIN = {
    Role.EXECUTOR: "get mget hmget hget hkeys hgetall zcard zrange zrevrange info ping evalsha eval",
    Role.SCHEDULER: "get mget set exists sadd expireat unlink hgetall hget hmget hkeys zcard zrange zrevrange xrange "
    "smembers psubscribe info ping evalsha eval",
    Role.PROXY: "get set hgetall hmget zcard zrevrange info ping evalsha eval",
    Role.NODE: "ping info",
    Role.CLIENT: "get hmget smembers unlink info ping evalsha eval",
}

#: What nobody of the cluster may do in any store.
FORBIDDEN = {
    *(
        "flushall",
        "flushdb",
        "keys",
        "scan",
        "config",
        "acl",
        "monitor",
        "debug",
        "shutdown",
        "save",
        "bgsave",
        "module",
    ),
    *(
        "replicaof",
        "slaveof",
        "migrate",
        "restore",
        "dump",
        "rename",
        "script",
        "function",
        "fcall",
        "client",
        "swapdb",
    ),
    *("subscribe", "cluster", "failover", "bgrewriteaof", "psync", "sync", "latency", "slowlog", "object", "sort"),
}


def commands_of(script: str) -> set[str]:
    source = files("wukong.mds").joinpath("scripts", f"{script}.lua").read_text()
    found = {name.lower() for name in re.findall(r"redis\.p?call\(\s*'(\w+)'", source)}
    assert len(re.findall(r"redis\.p?call\(", source)) == len(re.findall(r"redis\.p?call\(\s*'\w+'", source))
    return found


def test_every_script_is_somebodys() -> None:
    there = {path.name.removesuffix(".lua") for path in files("wukong.mds").joinpath("scripts").iterdir()}
    assert {name for name in there if not name.startswith("_")} == set().union(*SCRIPTS.values())


@pytest.mark.parametrize("role", SCRIPTS)
def test_a_role_may_run_all_commands_of_its_scripts_and_no_others(role: Role) -> None:
    """A script that uses another command than before needs it in `wukong.cluster.roles` for those who call it."""
    needed = set(PLAIN[role].split()).union(*map(commands_of, SCRIPTS[role]))
    assert RIGHTS["mds"][role].commands == needed


@pytest.mark.parametrize("store", RIGHTS)
def test_nobody_may_do_what_is_the_administrators(store: str) -> None:
    for rights in RIGHTS[store].values():
        assert not rights.commands & FORBIDDEN


def test_lines_name_no_password_and_leave_nobody_else_in() -> None:
    lines = users("mds", {role: digest(f"secret of {role}") for role in Role})
    assert lines[0] == "user default off resetpass resetkeys resetchannels -@all"
    assert [line.split()[1] for line in lines[1:]] == [role.value for role in Role]
    assert all(line.split()[4:7] == ["resetkeys", "resetchannels", "-@all"] for line in lines[1:-1])
    assert "secret" not in "\n".join(lines)
    assert lines[-1].endswith("+@all ~* &*")

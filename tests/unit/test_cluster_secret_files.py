"""Secrets are made once, whole, and for their owner alone; each part has its own, and no others."""

import stat
import subprocess
import sys
from pathlib import Path

from wukong.cluster import certificates, secret_files
from wukong.cluster.roles import Role, digest


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_they_are_made_once(tmp_path: Path) -> None:
    assert secret_files.make(tmp_path) == list(secret_files.FILES)
    made = files(tmp_path)
    for name, size in secret_files.FILES.items():
        assert len(bytes.fromhex(made[f"all/{name}"])) == size
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o400 for path in tmp_path.rglob("*") if path.is_file())
    assert secret_files.make(tmp_path) == []
    assert files(tmp_path) == made


def test_two_clusters_have_different_ones(tmp_path: Path) -> None:
    for name in ("a", "b"):
        secret_files.make(tmp_path / name)
    first, second = files(tmp_path / "a"), files(tmp_path / "b")
    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first)


def test_only_what_is_missing_is_made(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all/token").write_text("mine")
    assert secret_files.make(tmp_path) == [name for name in secret_files.FILES if name != "token"]
    assert (tmp_path / "scheduler/token").read_text() == (tmp_path / "all/token").read_text() == "mine"


def test_each_part_has_its_own_and_no_others(tmp_path: Path) -> None:
    secret_files.make(tmp_path)
    found = files(tmp_path)
    passwords = {role: found[f"all/store-password-{role}"] for role in Role}
    roles = {"scheduler": Role.SCHEDULER, "proxy": Role.PROXY, "node": Role.NODE, "executor": Role.EXECUTOR}
    for part, role in roles.items():
        theirs = {name: text for name, text in found.items() if name.startswith(f"{part}/")}
        assert [one for one in Role if passwords[one] in "".join(theirs.values())] == [role]
        assert (found["all/signing-key"] in theirs.values()) == (role is not Role.NODE)
        assert theirs[f"{part}/token"] == found["all/token"]
    for store in ("mds", "kvs"):
        lines = found[f"node/users-{store}"].splitlines()
        assert len(lines) == 1 + len(Role)
        assert f"#{digest(passwords[Role.EXECUTOR])}" in lines[1]


def test_certificates_are_made_and_handed_out_where_they_are_wanted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wukong.cluster.secret_files", str(tmp_path), "--certificates", "kvs-proxy,mds"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith(f"{tmp_path}: made token, ")
    found = files(tmp_path)
    server, client = found["all/server.pem"], found["all/client-key.pem"]
    for part in ("scheduler", "proxy", "node"):
        assert found[f"{part}/server.pem"] == server
        assert found[f"{part}/ca.pem"] == found["all/ca.pem"]
    assert found["executor/client-key.pem"] == client
    assert "executor/server-key.pem" not in found
    assert {name.partition("/")[0] for name in found if name.endswith(certificates.AUTHORITY[1])} == {"all"}

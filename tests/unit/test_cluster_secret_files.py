"""Secrets are made once, whole, and for their owner alone."""

import stat
from pathlib import Path

from wukong.cluster import secret_files


def test_they_are_made_once(tmp_path: Path) -> None:
    assert secret_files.write(tmp_path) == ["token", "store-password", "signing-key"]
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {name: len(bytes.fromhex(text)) for name, text in made.items()} == secret_files.FILES
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o400 for path in tmp_path.iterdir())
    assert secret_files.write(tmp_path) == []
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == made


def test_two_clusters_have_different_ones(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        secret_files.write(folder)
    assert all((folders[0] / name).read_text() != (folders[1] / name).read_text() for name in secret_files.FILES)


def test_only_what_is_missing_is_made(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mine")
    assert secret_files.write(tmp_path) == ["store-password", "signing-key"]
    assert (tmp_path / "token").read_text() == "mine"

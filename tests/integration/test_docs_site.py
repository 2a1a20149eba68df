"""The site as a reader gets it: complete, rendered, and with nothing from the network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

import wukong
from wukong import Client, Job, LocalCluster
from wukong.client import events

ROOT = Path(__file__).parents[2]

#: What a browser loads by itself, by tag.
_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Reader(HTMLParser):
    """Notes what a page loads, the tags of its article, and its words."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name == _LOADED.get(tag)]

    def handle_data(self, data: str) -> None:
        self.words += data


def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text())
    return reader


def build(sources: Path, output: Path) -> tuple[int, str]:
    """Build as `make docs` does: exit code, and what was said."""
    (command,) = re.findall(r"\$\(BIN\)/(mkdocs build .*?) 2>&1", (ROOT / "Makefile").read_text())
    built = subprocess.run(
        [sys.executable, "-m", *command.split(), "--site-dir", str(output)],
        cwd=sources,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    return built.returncode, built.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    code, said = build(ROOT, folder)
    assert code == 0, said
    return folder


def test_what_leads_nowhere_breaks_the_build(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    shutil.copytree(ROOT / "docs", sources / "docs")
    shutil.copy(ROOT / "mkdocs.yml", sources)
    for folder in ("examples", "services", "src", "tests"):
        (sources / folder).symlink_to(ROOT / folder)
    (sources / "docs/start.md").write_text(
        "# Start\n[a](none.md) [b](concepts.md#none) ![c](none.svg) [d](../src/none.py)\n"
    )
    (sources / "docs/unlisted.md").write_text("# Unlisted\n")
    code, said = build(sources, tmp_path / "site")
    assert code != 0
    warnings = "\n".join(line for line in said.splitlines() if line.startswith(("WARNING", "ERROR", "  - ")))
    for what in ("none.md", "#none", "none.svg", "../src/none.py", "unlisted.md"):
        assert what in warnings, said


def test_every_page_is_there_and_rendered(site: Path) -> None:
    for source in (ROOT / "docs").rglob("*.md"):
        path = source.relative_to(ROOT / "docs").with_suffix(".html")
        page = read(site / (path.with_name("index.html") if path.name == "README.html" else path))
        assert "h1" in page.tags, path
        assert not re.search(r"^```|\|---|^:::|<!--", page.words, re.MULTILINE), path


def test_nothing_comes_from_the_network(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert pages
    for path in pages:
        # A page names its own place, too, which is relative as long as the site has no address.
        assert not [loaded for loaded in read(path).loaded if "//" in loaded and not loaded.startswith("data:")], path
    for path in site.rglob("*.css"):
        assert not re.search(r"""(@import|url\()\s*["']?(https?:)?//""", path.read_text()), path


def test_the_reference_has_the_public_methods(site: Path) -> None:
    inside = {"ended", "finished", "on_progress", "tasks"}  # what other parts of the client ask a job
    for page, kind in (("client", Client), ("cluster", LocalCluster), ("job", Job)):
        words = read(site / f"api/{page}.html").words
        public = [name for name, value in vars(kind).items() if callable(value) and not name.startswith("_")]
        assert len(public) > 2
        assert not [name for name in public if name not in inside and f"{name}(" not in words]


def test_the_reference_has_all_that_can_be_imported_and_every_event(site: Path) -> None:
    words = "".join(read(page).words for page in (site / "api").glob("*.html"))
    names = [*wukong.__all__, *(kind.__name__ for kind in get_args(events.Event))]
    assert len(names) > 20
    assert not [name for name in names if not re.search(rf"\b{name}\b", words)]


def test_python_sources_are_no_part_of_it(site: Path) -> None:
    assert not list(site.rglob("*.py*"))

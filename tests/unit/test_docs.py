"""The documentation names what exists: files, headings, make targets, modules, variables."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from wukong import settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def code(page: Path) -> list[str]:
    """Everything between backticks, in lines and in blocks that are no Python."""
    blocks = [block for language, block in FENCE.findall(page.read_text()) if language == "sh"]
    return CODE.findall(prose(page)) + [line for block in blocks for line in block.splitlines()]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def files() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return set(listed.stdout.splitlines())
    return {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if ".venv" not in path.parts}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(prose(page)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / link).resolve() for link in LINK.findall(prose(ROOT / "README.md"))}
    pages = set((ROOT / "docs").glob("*.md")) - {ROOT / "docs/index.md"}  # the site's own table of contents
    assert not pages - linked


def test_every_decision_has_its_number() -> None:
    decisions = sorted(page for page in (ROOT / "docs/decisions").glob("*.md") if page.name != "README.md")
    for number, page in enumerate(decisions, 1):
        assert page.name.startswith(f"{number:04}-")
        assert page.read_text().startswith(f"# {number}. ")


@every_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for text in code(page) for name in re.findall(r"\bmake ([a-z0-9-]+)", text)}
    assert named <= targets


def programs(page: Path) -> Iterator[tuple[str, list[str]]]:
    for text in code(page):
        words = shlex.split(text, comments=True) if "python -m" in text else []
        if words[:1] == [".venv/bin/python"]:
            yield words[2], words[3:]


@every_page
def test_programs_exist(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    for module, arguments in programs(page):
        assert importlib.util.find_spec(module) is not None, module
        assert all((ROOT / argument).exists() for argument in arguments if "/" in argument), arguments


@every_page
def test_commands_are_run_by_a_test(page: Path) -> None:
    """The sessions of two pages run in tests of their own, as do examples; make targets run before every change."""
    if page == ROOT / "docs/clients.md":
        return  # tests/integration/test_clients.py runs all of it
    session = {line.split()[1] for line in commands(ROOT / "docs/cli.md") if line.startswith("wukong ")}
    in_containers = [line for block in quick_start() for line in block.splitlines()]  # tests/e2e/test_quick_start.py
    for line in commands(page):
        if page == ROOT / "README.md" and line in in_containers:
            continue
        words = shlex.split(line, comments=True)
        match Path(words[0]).name, words[1:]:
            case "make", [_]:
                pass  # test_make_targets_exist
            case "docker", ["compose", "up", "--detach", "--wait", *_]:
                pass  # tests/e2e/cluster.py
            case "wukong", [verb, *_]:
                assert verb in session, line
            case "python", ["-m", module, *_]:
                assert module.startswith("examples."), line
            case _:
                raise AssertionError(f"no test runs {line!r}")


def quick_start() -> list[str]:
    """The shell's blocks of the README's section about containers."""
    _, _, section = (ROOT / "README.md").read_text().partition("## In containers\n")
    return [block for language, block in FENCE.findall(section.partition("\n## ")[0]) if language == "sh"]


def commands(page: Path) -> list[str]:
    blocks = [block for language, block in FENCE.findall(page.read_text()) if language == "sh"]
    return [line for block in blocks for line in block.splitlines()]


@every_page
def test_dotted_paths_can_be_imported(page: Path) -> None:
    for text in code(page):
        if re.fullmatch(r"wukong(_\w+)?(\.\w+)+", text) and not text.endswith((".py", ".md")):
            assert_dotted_path(text)


def assert_dotted_path(text: str) -> None:
    if text.startswith("wukong.rpc.v1"):  # the package of the protos, too
        text = "wukong.rpc.v1"
    parts = text.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            found = getattr(found, name)  # AttributeError names what is missing
        return
    raise AssertionError(f"there is no {text}")


@every_page
def test_named_files_exist(page: Path) -> None:
    known = files()
    names = {Path(path).name for path in known}
    folders = {parent.as_posix() for path in known for parent in Path(path).parents}
    for text in code(page):
        if re.fullmatch(r"\.?[a-z][\w.-]*(/[\w.*-]+)+/?", text) and not text.startswith((".venv/", "build/")):
            path = text.rstrip("/")
            found = path in known | folders or ("*" in path and any(ROOT.glob(path)))
            assert found, f"there is no {text}"
        elif re.fullmatch(r"[\w-]+\.(py|lua|md|toml|proto)", text):
            assert text in names, f"there is no {text}"


def compose_variables() -> set[str]:
    """What the Compose file takes from its caller."""
    return set(re.findall(r"\$\{(WUKONG_\w+)", (ROOT / "compose/compose.yaml").read_text()))


@every_page
def test_named_variables_exist(page: Path) -> None:
    variables = [value for value in vars(settings).values() if isinstance(value, settings.Variable)]
    known = (
        {value.name for value in variables} | {value.file for value in variables if value.secret} | compose_variables()
    )
    named = {name for text in code(page) for name in re.findall(r"\bWUKONG_[A-Z_]+", text)}
    assert named <= known


def test_the_glossary_is_in_order_and_says_each_word_once() -> None:
    rows = re.findall(r"^\| (.+?) \| .+ \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    words = [row.casefold() for row in rows if row not in ("word", "---")]
    assert len(words) > 40
    assert words == sorted(set(words))

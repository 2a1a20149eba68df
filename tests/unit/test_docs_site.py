"""What the site is made of: its pages are listed, its pictures are those that the script draws."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from wukong import errors, settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listed(nav: object) -> Iterator[str]:
    match nav:
        case str():
            yield nav
        case list():
            for entry in nav:
                yield from listed(entry)
        case dict():
            yield from listed(list(nav.values()))


def test_every_page_is_in_the_navigation() -> None:
    nav = list(listed(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert sorted(nav) == sorted(pages), "list the page in mkdocs.yml, where a reader looks for it"


def test_the_pictures_are_drawn_by_the_script() -> None:
    draw = load(DOCS / "pictures/draw.py")
    # Those of the deployment are drawn from Terraform's graph: `make terraform` compares them.
    drawn = [path for path in (DOCS / "pictures").glob("*.svg") if not path.name.startswith("aws")]
    committed = {path.name: path.read_text() for path in drawn}
    assert committed == {name: picture().svg() for name, picture in draw.PICTURES.items()}


def test_every_setting_and_every_error_is_on_its_page() -> None:
    hooks = load(DOCS / "site/hooks.py")
    names = [value.name for value in vars(settings).values() if isinstance(value, settings.Variable)]
    assert [row.split("`")[1] for row in hooks.table().splitlines()[2:]] == sorted(names)
    kinds = [
        kind.__name__
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, Warning)
    ]
    assert sorted(line.split()[0] for line in hooks.tree(errors.WukongError).splitlines()) == sorted(kinds)


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[qr](../examples/qr.py)", '<abbr title="in the repository: examples/qr.py">qr</abbr>'),
        ("[words](../docs/glossary.md)", "[words](../docs/glossary.md)"),
        ("[gone](../examples/gone.py)", "[gone](../examples/gone.py)"),
        ("[start](start.md)", "[start](start.md)"),
    ],
)
def test_links_into_the_repository_become_text(link: str, shown: str) -> None:
    assert load(DOCS / "site/hooks.py").inside(link, DOCS) == shown

"""What MkDocs does to the pages beyond Markdown: links into the repository, and tables made of the source.

Pages are read in a checkout too, where a link such as `../examples/qr.py` leads to a file. The site has no such file,
so there the link becomes its text, with the path as its title. A link to nothing stays, and breaks the strict build.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from wukong import errors, settings
from wukong.errors import WukongError

DOCS = Path(__file__).parents[1]

_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s#]+)\)")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """See MkDocs: called with each page's source."""
    markdown = inside(markdown, (DOCS / page.file.src_uri).parent)
    markdown = markdown.replace("<!-- the tree of errors -->", f"```text\n{tree(WukongError)}```")
    return markdown.replace("<!-- the table of settings -->", table())


def inside(markdown: str, folder: Path) -> str:
    """A page of a folder, without links to files outside the documentation."""
    return _LINK.sub(lambda link: _text(link, folder), markdown)


def _text(link: re.Match[str], folder: Path) -> str:
    target = Path(os.path.normpath(folder / link[2]))
    repository = DOCS.parent
    if target.is_relative_to(DOCS) or not target.is_relative_to(repository) or not target.exists():
        return link[0]
    return f'<abbr title="in the repository: {target.relative_to(repository)}">{link[1]}</abbr>'


def tree(kind: type[BaseException], depth: int = 0) -> str:
    """A class of errors and those below it, a line each."""
    below = [found for found in vars(errors).values() if isinstance(found, type) and kind in found.__bases__]
    others = [base for base in kind.__bases__ if base is not Exception and not issubclass(base, WukongError)]
    also = f" (also a {_name(others[0])})" if others else ""
    return f"{'  ' * depth}{kind.__name__}{also}\n" + "".join(tree(found, depth + 1) for found in below)


def _name(kind: type) -> str:
    if kind.__module__ == "builtins":
        return kind.__name__
    return f"{kind.__module__.removesuffix('._base')}.{kind.__name__}"


def table() -> str:
    """Every environment variable."""
    found = [value for value in vars(settings).values() if isinstance(value, settings.Variable)]
    rows = [
        f"| `{one.name}` | {_default(one.default)} | {one.meaning.replace('|', '&#124;')}{_by_file(one)} |"
        for one in sorted(found, key=lambda one: one.name)
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def _by_file(variable: settings.Variable) -> str:
    return f"; or `{variable.file}`: the path of a file with it" if variable.secret else ""


def _default(value: str | None) -> str:
    if value is None:
        return "required"
    return f"`{value}`" if value else "empty"

"""Commands that run Python modules as processes of their own, under the user's interpreter and packages."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

# The entries go behind everything, so that they shadow nothing.
_BOOT = (
    "import json, runpy, sys; paths, module = json.loads(sys.argv.pop(1)); "
    "sys.path.extend(path for path in paths if path not in sys.path); "
    "runpy.run_module(module, run_name='__main__', alter_sys=True)"
)


def python_module(module: str, path: Sequence[str], *arguments: str) -> list[str]:
    """The command that runs `module` in a fresh interpreter, with `path` appended to its `sys.path`.

    The working directory stays off its path (`-P`): a user's `random.py` there must not be met.
    """
    return [sys.executable, "-P", "-c", _BOOT, json.dumps([path, module]), *arguments]

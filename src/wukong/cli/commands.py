"""What the modules of the commands add themselves to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    # Generic in the type stubs only.
    Commands = argparse._SubParsersAction

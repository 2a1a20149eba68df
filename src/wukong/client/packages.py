"""Which package a module is of, for whoever has to add it where executors run."""

from __future__ import annotations

import importlib.metadata


def tell(error: BaseException, module: str) -> None:
    """Add a note to an error about a module that executors do not have: the package that brings it here, if one does.

    Args:
        error: What the user catches.
        module: The module's dotted name, or empty where it is not known.
    """
    name = module.partition(".")[0]
    for package in sorted(set(importlib.metadata.packages_distributions().get(name, ()))):
        version = importlib.metadata.version(package)
        error.add_note(
            f"{name!r} is of the package {package}, which is installed here and not where executors run. Add "
            f"{package}=={version} to their image, as docs/images.md shows."
        )

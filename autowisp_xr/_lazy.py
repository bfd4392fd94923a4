"""Names of a package that are imported when they are first used.

Importing numba and scipy takes as long as stacking thirty small frames, so nothing loads them
before a verb that computes is called.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["attach"]


def attach(
    package: str, table: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose public names live in its modules.

    Parameters
    ----------
    package
        Full name of the package.
    table
        Module of each public name; an empty text for a name that is a module itself.
    """

    def get(name: str) -> Any:
        if name not in table:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not table[name]:
            return import_module(f"{package}.{name}")
        return getattr(import_module(table[name]), name)

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *table})

    return get, listed

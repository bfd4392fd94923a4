"""The tables of this package: TOML files beside the modules that read them."""

import tomllib
from pathlib import Path
from typing import Any


def table_beside(module: str, name: str = "") -> dict[str, Any]:
    """Return the table of a module, given its ``__file__``; of another name where one is given."""
    path = Path(module)
    return tomllib.loads(path.with_name(f"{name or path.stem}.toml").read_text("utf-8"))

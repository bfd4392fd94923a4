"""Read the TOML files of users: cameras, limits, settings."""

import os
import stat
import tomllib
from os import PathLike
from typing import Any

from autowisp_xr.errors import AutowispError

_LARGEST = 1 << 20
"""Bytes of a file that somebody has written."""

_DEEPEST = 20

_WHOLE = 2**63
"""Numbers from here on, and below its negative, are none of TOML."""


def read_toml(path: str | PathLike[str], error: type[AutowispError]) -> dict[str, Any]:
    """Return the content of a TOML file.

    Parameters
    ----------
    path
        The file; a "~" at its beginning is the home.
    error
        What is raised where it cannot be read as TOML: no ordinary file, too large, other syntax,
        numbers beyond 64 bits, tables too deep inside one another; it names the file.

    Raises
    ------
    OSError
        If there is no such file, or it may not be read.
    """
    place = os.path.expanduser(path)
    if "\0" in os.fspath(place):
        raise error(f"{path!r} cannot be the name of a file")
    status = os.stat(place)
    # to open a pipe waits for somebody who writes into it
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{path} is no ordinary file; name a TOML file")
    if status.st_size > _LARGEST:
        raise error(f"{path} has {status.st_size} bytes, and is no TOML file of settings")
    with open(place, "rb") as file:
        try:
            # editors of Windows put a mark before the text
            content = tomllib.loads(file.read().decode("utf-8-sig"))
        except (ValueError, RecursionError) as reason:
            raise error(f"{path} is not valid TOML: {reason}") from reason
    level: list[Any] = [content]
    for _ in range(_DEEPEST):
        if any(isinstance(one, int) and not -_WHOLE <= one < _WHOLE for one in level):
            raise error(f"{path} has a whole number of more than 64 bits")
        tables = [list(one.values()) if isinstance(one, dict) else one for one in level]
        level = [one for table in tables if isinstance(table, list) for one in table]
        if not level:
            return content
    raise error(f"{path} has tables too deep inside one another")

"""Places that users name: a path, an address of a local file, or one elsewhere ("s3://...").

A frame of a file of many ("video.ser[12]", counted from 0) has a path of its own.
"""

import os
import re
import stat
from os import PathLike
from urllib.parse import unquote, urlsplit

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::.*)?://")
"""The scheme has two letters at least: one is a drive. "simplecache::s3://" is one, too."""


_ONE_OF_MANY = re.compile(r"(.+\.(?:ser|tiff?|xisf))\[(\d+)\]", re.IGNORECASE | re.DOTALL)


def _one_of_many(path: str) -> re.Match[str] | None:
    # nearly no path ends so, and to match takes time
    return _ONE_OF_MANY.fullmatch(path) if path.endswith("]") else None


def file_of(path: str) -> str:
    """Return the path of the file that a frame is in, which most frames are by themselves.

    Examples
    --------
    >>> file_of("a/video.ser[12]"), file_of("a/b[1].fits")
    ('a/video.ser', 'a/b[1].fits')
    """
    match = _one_of_many(path)
    return path if match is None else match[1]


def number_in_file(path: str) -> int | None:
    """Return which frame of its file a path names; None where it names the file."""
    match = _one_of_many(path)
    return None if match is None else int(match[2])


def printable(name: str) -> str:
    r"""Return a name as it may be printed: line ends and what moves a terminal are spelled out.

    Examples
    --------
    >>> print(printable("a\nb \x1b[31m"))
    a\nb \x1b[31m
    """
    if name.isprintable():
        return name
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in name
    )


def literal(name: str) -> str:
    """Return the template of a name that is filled in already: braces in it are no fields."""
    return name.replace("{", "{{").replace("}", "}}")


def is_ordinary(path: str | PathLike[str]) -> bool:
    """Return whether there is an ordinary file; to open a pipe waits for who writes into it."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def is_address(place: str | PathLike[str]) -> bool:
    """Return whether a place is named by an address, no path."""
    return _ADDRESS.match(os.fspath(place)) is not None


def local_path(place: str | PathLike[str], remedy: str = "") -> str:
    """Return the path of a place: as it is, or that of a ``file://`` address.

    Parameters
    ----------
    place
        As the user names it.
    remedy
        What is done with a place that is on no disk of this machine; none where it may be.

    Raises
    ------
    ValueError
        For an address that is not local, with the remedy.
    """
    text = os.fspath(place)
    if not is_address(text):
        return text
    parts = urlsplit(text)
    if parts.scheme.lower() == "file" and parts.netloc in ("", "localhost"):
        return unquote(parts.path)
    if remedy:
        raise ValueError(f"{text} is an address, and a path is needed: {remedy}")
    return text

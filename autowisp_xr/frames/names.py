"""Names of files and frames: their order, what a frame is called, where a result goes."""

import hashlib
import os
import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.errors import AutowispError, HeaderError
from autowisp_xr.filesystem.addresses import number_in_file
from autowisp_xr.formats.pictures import format_of
from autowisp_xr.headers.cards import value_of

Paths = str | PathLike[str] | Iterable[str | PathLike[str]]

FITS_SUFFIX = re.compile(r"\.((fits|fit|fts)(\.(fz|gz|bz2))*|fz)\Z", re.IGNORECASE)

_DIGITS = re.compile(r"([0-9]+)")
_LONGEST = 255
"""Bytes of a name in nearly all file systems."""

# what would make one name into another place, or into no name at all
_FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f]")


class NoFilesError(AutowispError, FileNotFoundError):
    """The error where there is no such file, or none that fits what was asked for."""


def raw_name(path: str | PathLike[str]) -> str:
    """Strip directories, then one trailing ".fz", then one ".fits", ".fit" or ".fts".

    This is RAWFNAME as the classes of the original AutoWISP write it; letter case counts.

    Examples
    --------
    >>> raw_name("night/raw1.fits.fz"), raw_name("raw.FITS"), raw_name("a.fz.fits")
    ('raw1', 'raw.FITS', 'a.fz')
    """
    name = os.path.basename(os.fspath(path)).removesuffix(".fz")
    ending = next((end for end in (".fits", ".fit", ".fts") if name.endswith(end)), "")
    return name.removesuffix(ending)


def bare_name(path: str | PathLike[str]) -> str:
    """Strip directories and the ending of a file of frames, in any letter case.

    Examples
    --------
    >>> bare_name("night/raw1.fits.fz"), bare_name("a.b.fit.gz"), bare_name("a.ser[7]")
    ('raw1', 'a.b', 'a_00007')
    """
    name = os.path.basename(os.fspath(path))
    if not format_of(name):
        return FITS_SUFFIX.sub("", name) or name
    number = number_in_file(name)
    return os.path.splitext(name)[0] + ("" if number is None else f"_{number:05d}")


def natural_key(path: str | PathLike[str]) -> list[str | int]:
    """Return a key that sorts "frame9" before "frame10".

    Examples
    --------
    >>> sorted(["f10.fits", "f9.fits"], key=natural_key)
    ['f9.fits', 'f10.fits']
    """
    # parts alternate text and number, so that like is only ever compared with like
    parts = _DIGITS.split(os.fspath(path))
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


@dataclass(frozen=True)
class _HeaderFormatter(string.Formatter):
    """Python's format language with header keywords, hyphens included, as field names."""

    header: fits.Header
    extra: Mapping[str, Any]
    directories: Mapping[str, str]
    template: str

    def get_field(self, field_name: str, args: object, kwargs: object) -> tuple[Any, str]:
        """Look the whole field name up, so that no attribute of a value can be reached."""
        if field_name in self.directories:
            return self.directories[field_name], field_name
        value = self.extra.get(field_name)
        if value is None and field_name:
            value = value_of(self.header, field_name)
        if value is None and field_name.upper() == "CLRCHNL":
            value = schema.MONO
        if value is None or not isinstance(value, str | int | float):
            known = sorted({*self.extra, *(key for key in self.header if key)})
            raise HeaderError(
                f"the name template {self.template!r} asks for {field_name!r}, which the header "
                f"does not have; it has {', '.join(known)}"
            )
        return (_clean(value) if isinstance(value, str) else value), field_name


def _clean(value: str) -> str:
    value = _FORBIDDEN.sub("_", value.strip())
    return "_" if value in (".", "..") else value


def _short_enough(path: str) -> str:
    """Return a path whose last name is one that a file can have."""
    folder, name = os.path.split(path)
    content = name.encode(errors="surrogateescape")
    if len(content) <= _LONGEST:
        return path
    ending = FITS_SUFFIX.search(name)
    end = f"-{hashlib.sha256(content).hexdigest()[:8]}{ending[0][:16] if ending else ''}"
    start = content[: _LONGEST - len(end)].decode(errors="ignore")
    return os.path.join(folder, start + end)


def fill_template(
    template: str | PathLike[str],
    header: fits.Header,
    extra: Mapping[str, Any] | None = None,
    directories: Mapping[str, str] | None = None,
) -> str:
    """Fill a file name such as "{RAWFNAME}_{CLRCHNL}.fits" from a header.

    Parameters
    ----------
    template
        In Python's format language ("{FNUM:06d}"); the fields are keywords of the header. A "~"
        at its beginning is the home.
    header
        Where the values come from. CLRCHNL is always known: "mono" where there is no such card.
    extra
        More values, tried first.
    directories
        Values of the caller's own that may be paths; tried before all others.

    Raises
    ------
    HeaderError
        If a keyword is missing or cannot be written in the format asked for.

    Notes
    -----
    Path separators and control characters in a value become "_", so that the value of a card
    never chooses the directory. A name of more bytes than file systems take is cut off before its
    ending, with a digest of all of it.

    Examples
    --------
    >>> fill_template("out/{OBJECT}_{CLRCHNL}.fits", fits.Header({"OBJECT": "M31/M32"}))
    'out/M31_M32_mono.fits'
    """
    # a value of a header may begin with ~, and is no home
    text = os.path.expanduser(template)
    homes = {name: os.path.expanduser(path) for name, path in (directories or {}).items()}
    try:
        formatter = _HeaderFormatter(header, extra or {}, homes, text)
        return _short_enough(formatter.vformat(text, (), {}))
    except HeaderError:
        raise
    except ValueError as error:
        raise HeaderError(f"the name template {text!r} cannot be filled: {error}") from error

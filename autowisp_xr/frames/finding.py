"""Find the files that are meant by paths, patterns and directories."""

import glob
import os
import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from os import PathLike
from typing import NamedTuple

from autowisp_xr.filesystem.addresses import file_of, is_ordinary, local_path
from autowisp_xr.first_names import first_of
from autowisp_xr.fits.units import MAGIC
from autowisp_xr.formats.pictures import format_of, frames_in
from autowisp_xr.formats.pictures import names as formats
from autowisp_xr.frames.names import FITS_SUFFIX, NoFilesError, Paths, bare_name, natural_key
from autowisp_xr.own_tables import table_beside

_OTHER = "of a format that is not read"
_BESIDE = "of a format that is read only where no FITS files lie beside"
_PACKED = "packed otherwise than by gzip, bzip2 or fpack"
_UNNAMED = "with a FITS image under another name"
_REMEDIES = {
    _OTHER: "convert them to FITS first, as Siril does",
    _BESIDE: "name them to take them, as NIGHT/**/*{0}, or let them lie alone in a folder",
    _PACKED: "unpack them first",
    _UNNAMED: "if they are frames, let their names end in .fits",
}
_ENDINGS = table_beside(__file__)
_PACKINGS = re.compile(
    r"\.(fits|fit|fts)\.(xz|z|zst|lz4)\Z|\.(zip|7z|rar|tar|tgz|tar\.(gz|bz2|xz|zst))\Z",
    re.IGNORECASE,
)


def describe_others(others: Iterable[str], files: Iterable[str]) -> list[str]:
    """Describe, a line for each kind, files that are passed over, though they may hold frames.

    Parameters
    ----------
    others
        Paths of the files that lie beside those which are read. Of an ending that nobody knows, the
        first bytes are looked at.
    files
        Paths of the files that are read; what is named like one of them is a copy of it.

    Returns
    -------
    Their number by ending, and what can be done; nothing for previews, texts and the like.
    """
    found: dict[str, Counter[str]] = {}
    others = list(others)
    named = {_place(path) for path in files} if others else set()
    for path in others:
        ending = os.path.splitext(path)[1]
        kind = _kind(path, ending[1:].lower())
        if kind and not (kind == _UNNAMED and not named.isdisjoint(_places(path))):
            found.setdefault(kind, Counter())[ending or "no ending"] += 1
    return [
        f"passed over {counts.total()} file{'' if counts.total() == 1 else 's'} {kind} "
        f"({_listed(counts)}): they take no part; {_REMEDIES[kind].format(next(iter(counts)))}"
        for kind, counts in found.items()
    ]


def _describe_hidden(hidden: Mapping[str, int]) -> list[str]:
    """Describe frames whose own name, or that of a folder, begins with a dot."""
    if not hidden:
        return []
    number = sum(hidden.values())
    return [
        f"passed over {number} file{'' if number == 1 else 's'} with a dot before its name or that "
        f"of a folder ({first_of(list(hidden))}): they take no part; rename what is meant"
    ]


def _kind(path: str, ending: str) -> str:
    if ending in _ENDINGS["images"]:
        return _OTHER
    if format_of(path):
        return _BESIDE
    if _PACKINGS.search(path):
        return _PACKED
    return "" if ending in _ENDINGS["nothing"] or not _holds_image(path) else _UNNAMED


def _holds_image(path: str) -> bool:
    """Return whether a file begins like FITS with pixels in its first unit."""
    if not is_ordinary(path):
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(2880)
    except OSError:
        return False
    axes = re.search(rb"NAXIS   = +([1-9]\d*) ", start)
    return start.startswith(MAGIC) and axes is not None


def _places(path: str) -> Iterator[str]:
    """Yield what a file may be a copy of: "a.fits" of "a.fits.bak", "a" of "a.new"."""
    stem = path
    while os.path.splitext(stem)[1]:
        stem = os.path.splitext(stem)[0]
        yield _place(stem)


def _place(path: str) -> str:
    return os.path.join(os.path.dirname(path), bare_name(path))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {ending}" for ending, number in sorted(counts.items()))


_Id = tuple[int, int]

_FETCH = "fetch the file first, as fsspec.open_local('simplecache::{}') does, and open that"


def find_files(
    paths: Paths, deep: bool = False, skip: Collection[str | PathLike[str]] = ()
) -> list[str]:
    """Find the files that are meant, without repetitions.

    Parameters
    ----------
    paths
        A path, a glob pattern ("night/*.fits"), a directory, or several of these. Of a directory
        come the files in it that end in .fits, .fit or .fts, with or without .fz, .gz or .bz2, in
        any letter case, except hidden ones; where there are none, those of the first other format
        that it has any of, raw files of cameras before others. What one pattern or directory gives
        is in natural order ("f9" before "f10"); several paths keep the order in which they are
        given. Of a file of several frames comes the path of each ("video.ser[12]").
    deep
        Whether directories are searched into their subdirectories, in natural order of the whole
        path; hidden ones and Zarr stores are passed over, and so is a link to a directory that is
        searched anyway.
    skip
        Files that are left alone, and directories that are not searched, when they are met below a
        directory; what is named in ``paths`` itself is always meant.

    Raises
    ------
    NoFilesError
        A FileNotFoundError that names the path or pattern for which there is nothing.
    OSError
        For a directory that may not be read, naming it.
    ValueError
        For an address ("s3://..."), with what to do; "file://..." is a path.
    """
    return list(_search(paths, deep, skip).files)


class Found(NamedTuple):
    """The files that are meant by paths."""

    paths: Sequence[str | PathLike[str]]
    files: Sequence[str]
    """Absolute, without repetitions, in the order of :func:`find_files`."""
    others: Sequence[str] = ()
    """All others in their directories."""
    hidden: Mapping[str, int] = {}
    """How many frames there are in each hidden directory, and hidden files."""

    @property
    def passed_over(self) -> list[str]:
        """A line for each kind of the others that are not read, but may hold frames."""
        return describe_others(self.others, self.files) + _describe_hidden(self.hidden)


def found_in(
    paths: Paths | Found, deep: bool = False, skip: Collection[str | PathLike[str]] = ()
) -> Found:
    """Find the files that are meant as :func:`find_files` does, and what lies beside them."""
    if isinstance(paths, Found):
        return paths
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    found = _search(given, deep, skip)
    return found._replace(files=[os.path.abspath(path) for path in found.files])


def _search(paths: Paths, deep: bool, skip: Collection[str | PathLike[str]]) -> Found:
    """The files that are meant, as they were named, and all others in their directories."""
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    if not given:
        raise NoFilesError("no file was named; give a path, a glob pattern, a directory, or a list")
    skipped = [skip] if isinstance(skip, str | PathLike) else skip
    seen = {_identity(path) for path in skipped if os.path.exists(path)}
    found: dict[str, str] = {}
    others: dict[str, None] = {}
    hidden: dict[str, int] = {}
    # nearly all files are in few directories, and to resolve each takes a look at all above it
    resolved = cache(os.path.realpath)
    for path in given:
        here = local_path(path, _FETCH.format(os.fspath(path)))
        one = _expand(os.path.expanduser(here), deep, seen)
        for file in one.files:
            folder, name = os.path.split(file)
            real = os.path.realpath(file) if file in one.links else None
            found.setdefault(real or os.path.join(resolved(folder), name), file)
        others.update(dict.fromkeys(map(os.path.abspath, one.others)))
        hidden |= one.hidden
    files = [frame for file in found.values() for frame in frames_in(file)]
    named = {os.path.abspath(path) for path in given}
    hidden = {path: number for path, number in hidden.items() if os.path.abspath(path) not in named}
    return Found(given, files, list(others), hidden)


class _Expanded(NamedTuple):
    """What one path means."""

    files: list[str]
    others: Sequence[str] = ()
    links: Collection[str] = ()
    """Which of the files are links."""
    hidden: Mapping[str, int] = {}


def _expand(path: str, deep: bool, seen: Collection[_Id]) -> _Expanded:
    if os.path.isdir(path):
        found = _inside(path, deep, seen)
        files, others = found.files, found.others
        files, others = (files, others) if files else _of_another_format(others)
        if not files:
            raise NoFilesError(
                f"the directory {path!r} holds no FITS file (.fits, .fit or .fts, also with .fz, "
                f".gz or .bz2), and none of {' or of '.join(formats().values())}"
                + ("" if deep else "; directories in it are not searched")
                + "".join(f"; {line}" for line in describe_others(others, ()))
                + "".join(f"; {line}" for line in _describe_hidden(found.hidden))
            )
        return found._replace(files=sorted(files, key=natural_key), others=others)
    # first of all a file: its name may have brackets in it
    if os.path.exists(file_of(path)):
        return _Expanded([path], links=[path] * os.path.islink(path))
    if glob.has_magic(path):
        files = [file for file in glob.glob(path, recursive=True) if os.path.isfile(file)]
        if not files:
            raise NoFilesError(f"no file fits the pattern {path!r} (seen from {os.getcwd()})")
        return _Expanded(sorted(files, key=natural_key), links={*filter(os.path.islink, files)})
    raise NoFilesError(f"there is no file {path!r} (seen from {os.getcwd()})")


def _of_another_format(others: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the files of the first format that there are any of, and those that are left."""
    found: dict[str, list[str]] = {}
    for path in others:
        found.setdefault(format_of(path), []).append(path)
    files = next((found.pop(name) for name in formats() if name in found), [])
    return files, [path for left in found.values() for path in left]


def _inside(top: str, deep: bool, skipped: Collection[_Id]) -> _Expanded:
    """Return FITS and other files in a directory, and in all below it if ``deep``, each once."""
    links: set[str] = set()
    seen = {*skipped} - {_identity(top)}
    files: list[str] = []
    others: list[str] = []
    hidden: dict[str, int] = {}
    # links wait until all else has been searched, so that what they lead to keeps its own name
    waiting = deque([top])
    while waiting:
        folder = waiting.popleft()
        identity = _identity(folder)
        if identity in seen:
            continue
        seen.add(identity)
        folders: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name.lower()
                if name.startswith("."):
                    if number := _hidden_frames(entry, deep, seen):
                        hidden[entry.path] = number
                    continue
                if not _is_directory(entry):
                    if skipped and _is_among(skipped, entry.path):
                        continue
                    (files if FITS_SUFFIX.search(name) else others).append(entry.path)
                    if entry.is_symlink():
                        links.add(entry.path)
                elif deep and not name.endswith(".zarr"):
                    folders.append(entry.path)
        for inner in sorted(folders, key=natural_key):
            if os.path.islink(inner):
                waiting.append(inner)
            else:
                waiting.appendleft(inner)
    return _Expanded(files, others, links, hidden)


def _hidden_frames(entry: "os.DirEntry[str]", deep: bool, skipped: Collection[_Id]) -> int:
    """Count the frames that a hidden entry is, or has in it."""
    if not _is_directory(entry):
        return int(_is_frame(entry.name))
    number = 0
    for folder, inner, names in os.walk(entry.path) if deep else ():
        if folder.lower().endswith(".zarr") or _is_among(skipped, folder):
            inner.clear()
        else:
            number += sum(map(_is_frame, names))
    return number


def _is_frame(name: str) -> bool:
    # what begins so is what other systems keep of a file that they have copied
    copied = name.startswith("._")
    return not copied and bool(FITS_SUFFIX.search(name.lower()) or format_of(name))


def _is_directory(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # a link that leads to itself is reported where it is opened
        return False


def _is_among(skipped: Collection[_Id], path: str) -> bool:
    try:
        return _identity(path) in skipped
    except OSError:
        # a link that leads nowhere is reported where it is opened
        return False


def _identity(directory: str | PathLike[str]) -> _Id:
    status = os.stat(os.path.expanduser(os.fspath(directory)))
    return status.st_dev, status.st_ino

"""The files of flats by class, as ``MasterFlatMaker`` returns them: a pair, and a dictionary."""

from collections.abc import ItemsView, KeysView, Sequence, ValuesView
from typing import Any, NamedTuple, Self

import xarray as xr

from autowisp_xr.flats.verdicts import CLASSES, members


class _Pair(NamedTuple):
    success: dict[str, bool]
    """Whether the "high" and the "low" master were made."""
    classes: dict[str, list[str]]
    """Files by class, each in one, named as they were given."""


class FlatClasses(_Pair):
    """The pair (success, classes), which gives the files of a class by its name in brackets.

    Examples
    --------
    >>> result = FlatClasses({"high": True, "low": False}, {"high": ["f1.fits"], "low": []})
    >>> success, classes = result
    >>> result["high"], result.success["low"], sorted(result.keys())
    (['f1.fits'], False, ['high', 'low'])
    """

    frames: xr.Dataset | None = None
    """The class of each file, along ``frame``, with the reason and what decided; see
    :func:`autowisp_xr.select_flats`."""

    @classmethod
    def of(cls, success: dict[str, bool], table: xr.Dataset, files: Sequence[str]) -> Self:
        """Return the classes of files by a table of flats, whose frames they are."""
        result = cls(success, files_of(table, files))
        result.frames = table
        return result

    def __getitem__(self, key: Any) -> Any:
        return self.classes[key] if isinstance(key, str) else super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        return key in self.classes if isinstance(key, str) else super().__contains__(key)

    def keys(self) -> KeysView[str]:
        """Return the names of the classes."""
        return self.classes.keys()

    def values(self) -> ValuesView[list[str]]:
        """Return the files of each class."""
        return self.classes.values()

    def items(self) -> ItemsView[str, list[str]]:
        """Return the names of the classes with their files."""
        return self.classes.items()

    def get(self, key: str, default: object = None) -> object:
        """Return the files of a class, or ``default`` where there is no such class."""
        return self.classes.get(key, default)


def files_of(table: xr.Dataset, files: Sequence[str]) -> dict[str, list[str]]:
    """Return the files of each class, in their order."""
    return {kind: [files[number] for number in members(table, kind)] for kind in CLASSES}

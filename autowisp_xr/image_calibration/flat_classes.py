"""What ``MasterFlatMaker`` returns: a pair, and the documented dictionary."""

from collections.abc import Iterator, Mapping
from typing import Any

import xarray as xr

from autowisp_xr.flats.classes import CLASSES

__all__ = ["FlatClasses", "files_of"]


class FlatClasses(tuple[Any, ...]):
    """The pair (success, classes); with the name of a class in brackets, its files.

    Examples
    --------
    >>> result = FlatClasses({"high": True, "low": False}, {"high": ["f1.fits"], "low": []})
    >>> success, classes = result
    >>> result["high"], result.success["low"], sorted(result.keys())
    (['f1.fits'], False, ['high', 'low'])
    """

    frames: xr.Dataset | None
    """Over ``frame``: class and reason of each file, and what decided; see
    :func:`autowisp_xr.select_flats`."""

    def __new__(
        cls,
        success: Mapping[str, bool],
        classes: Mapping[str, list[str]],
        frames: xr.Dataset | None = None,
    ) -> "FlatClasses":
        """Make the pair."""
        result = super().__new__(cls, (dict(success), dict(classes)))
        result.frames = frames
        return result

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.success, self.classes, self.frames)

    @property
    def success(self) -> dict[str, bool]:
        """Whether the "high" and the "low" master were made."""
        success: dict[str, bool]
        success, _ = self
        return success

    @property
    def classes(self) -> dict[str, list[str]]:
        """Files by class, each in one, named as they were given."""
        classes: dict[str, list[str]]
        _, classes = self
        return classes

    def __getitem__(self, key: Any) -> Any:
        return self.classes[key] if isinstance(key, str) else tuple(self)[key]

    def __contains__(self, key: object) -> bool:
        return key in self.classes if isinstance(key, str) else key in tuple(self)

    def keys(self) -> Iterator[str]:
        """Names of the classes."""
        return iter(self.classes.keys())

    def values(self) -> Iterator[list[str]]:
        """Files of each class."""
        return iter(self.classes.values())

    def items(self) -> Iterator[tuple[str, list[str]]]:
        """Names of the classes with their files."""
        return iter(self.classes.items())

    def get(self, key: str, default: Any = None) -> Any:
        """Files of a class, or ``default`` where there is no such class."""
        return self.classes.get(key, default)


def files_of(table: xr.Dataset, files: list[str]) -> dict[str, list[str]]:
    """Files of each class, in their order."""
    kinds = table["class"].values.tolist()
    return {
        kind: [file for file, other in zip(files, kinds, strict=True) if other == kind]
        for kind in CLASSES
    }

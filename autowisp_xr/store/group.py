"""One group of a Zarr store: where it lies, what it says of itself, who writes to it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal, cast

import zarr
from zarr.errors import ContainsArrayError

from autowisp_xr.store import swap
from autowisp_xr.store.lock import claimed

__all__ = ["FOREIGN", "MARKS", "STATE", "Group"]

STATE = "autowisp_xr_store"
"""Attribute of a group: its identity, variables, and whether it is created and complete."""

MARKS = "_state/written"
"""Array of a group that is not complete: which frames are written."""

FOREIGN = {"foreign": True}
"""State of a place that is taken by what is no group."""

_UNKNOWN = {"unknown": True}


@dataclass(frozen=True)
class Group:
    """A group by the place of its store and its name in it."""

    path: str
    """Of the store: absolute, so that it is the same wherever the process may go to."""
    name: str
    """"" for the root."""

    @classmethod
    def at(cls, path: str | PathLike[str], name: str | None) -> "Group":
        """The group that a user names, in a directory or by the address of a store elsewhere."""
        text = fspath(path)
        if "://" not in text:
            text = os.path.abspath(os.path.expanduser(text))
        return cls(text, (name or "").strip("/"))

    def __str__(self) -> str:
        return f"{self.path}/{self.name}".rstrip("/")

    @property
    def is_remote(self) -> bool:
        """Whether the store is in no directory, so that nothing can be renamed or locked."""
        return "://" in self.path

    @property
    def folder(self) -> Path:
        """Directory of the group."""
        return Path(self.path, self.name)

    @property
    def beside(self) -> "Group":
        """The group in which what is to replace this one is written."""
        return Group(self.path, f"{self.name}/{swap.NEXT}".strip("/"))

    def open(self, mode: Literal["r", "r+", "a"]) -> zarr.Group:
        """The group as Zarr has it."""
        return zarr.open_group(self.path, path=self.name, mode=mode)

    def state(self) -> dict[str, Any]:
        """What it says of itself; empty where there is none, or one with nothing of its own."""
        try:
            found = self.open("r")
        except FileNotFoundError:
            root = Path(self.path)
            taken = root.exists() and not (root.is_dir() and not any(root.iterdir()))
            # a store that has other groups has room for one more
            return FOREIGN if taken and not (root / "zarr.json").exists() else {}
        except (ContainsArrayError, NotADirectoryError):
            return FOREIGN
        state = found.attrs.get(STATE)
        if state is not None:
            return cast(dict[str, Any], state)
        bare = not dict(found.attrs) and not list(found.array_keys())
        return {} if bare else _UNKNOWN

    def is_whole(self, identity: str) -> bool:
        """Whether it has all of the Dataset of this identity."""
        state = self.state()
        return bool(state.get("complete")) and state["identity"] == identity

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep others from writing to it; what is in no directory is left to its users."""
        if self.is_remote:
            yield
            return
        # beside the store: in it, what is no array and no group is a warning for others
        parent, store = os.path.split(os.path.realpath(self.path))
        if os.path.isdir(self.path) and not os.access(parent, os.W_OK):
            parent = self.path
        file = f".{'~'.join([store, *self.name.split('/')])}.lock"
        with claimed(os.path.join(parent, file), str(self)):
            yield

"""The groups of a Zarr store: where one lies, what it states of itself, who writes to it."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias

import zarr
from zarr.abc.store import Store
from zarr.errors import ContainsArrayError
from zarr.storage import FsspecStore, LocalStore

from autowisp_xr.errors import MissingPackageError
from autowisp_xr.filesystem.addresses import is_address, local_path
from autowisp_xr.filesystem.locking import locked
from autowisp_xr.store import swap

StoreLike: TypeAlias = "Store | str | PathLike[str]"
"""A store of Zarr, the directory of one, or an address that Zarr understands ("s3://...")."""

STATE = "autowisp_xr_store"
"""Attribute of a group: its identity, variables, and whether it is created and complete."""

MARKS = "_state/written"
"""Array of a group that is not complete: which frames are written."""

STUMBLED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What readers of an outline end with that somebody has damaged, or written."""

DAMAGED = "damaged"
"""In the state of a group that cannot state anything: why."""

FOREIGN = {"foreign": True}
"""State of a place that is taken by what is no group."""


PART = ".partial"
"""How the names of files end that Zarr has not written to the end."""


def _let_go(error: FileNotFoundError) -> None:
    """Drop what an error holds: the work of Zarr that raised it keeps it, for good."""
    error.__traceback__ = None


def is_taken(folder: Path) -> bool:
    """Return whether a directory holds more than a run has left that was killed at once."""
    return any(path.is_file() and path.suffix != PART for path in folder.rglob("*"))


@contextmanager
def leftovers_passed_over() -> Iterator[None]:
    """Silence the warnings of Zarr about files that a killed run has left."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Object at .* is not recognized")
        yield


def store_at(store: StoreLike, storage_options: Mapping[str, Any] | None = None) -> Store | str:
    """Return the store that a user names: one of Zarr, an absolute path, or an address.

    Parameters
    ----------
    store
        As the user names it; "file://..." is a path.
    storage_options
        Of an address, for fsspec: who asks, and where, as ``{"anon": True}``.

    Raises
    ------
    ValueError
        For options of what is no address, and an address of no known kind.
    MissingPackageError
        If the package that knows the kind of address is not installed.
    TypeError
        For what is none of these.
    """
    if isinstance(store, Store):
        place: Store | str = store
    elif not isinstance(store, str | PathLike):
        raise TypeError(
            "a store is a directory, an address ('s3://bucket/night.zarr') or a Store of Zarr, not "
            f"{type(store).__name__}: one of obstore goes in as zarr.storage.ObjectStore(store), "
            "one of icechunk as session.store"
        )
    else:
        place = local_path(store)
        if is_address(place):
            return _at_address(place, storage_options)
        place = os.path.abspath(os.path.expanduser(place))
    if storage_options:
        raise ValueError(
            f"storage_options are for an address, as 's3://bucket/night.zarr'; {place} has its own"
        )
    return place


def _at_address(address: str, storage_options: Mapping[str, Any] | None) -> Store | str:
    kind = address.partition("://")[0].rpartition("::")[2].lower()
    try:
        from fsspec import get_filesystem_class

        get_filesystem_class(kind)
    except ImportError as error:
        raise MissingPackageError(
            f"{address} needs a package that is not installed: {error}. A store of obstore goes in "
            "without, as zarr.storage.ObjectStore(store)"
        ) from error
    except ValueError as error:
        raise ValueError(f"{address} is no kind of address that fsspec knows: {error}") from error
    if not storage_options:
        return address
    return FsspecStore.from_url(address, storage_options=dict(storage_options))


@dataclass(frozen=True)
class Group:
    """A group by its store and its name in it."""

    store: Store | str
    """A path is absolute, so that it is the same wherever the process may go to."""
    name: str
    """"" for the root."""

    @classmethod
    def at(cls, store: StoreLike, name: str | None) -> "Group":
        """Return the group that a user names."""
        return cls(store_at(store), (name or "").strip("/"))

    def __str__(self) -> str:
        return f"{self.store}/{self.name}".rstrip("/")

    def __dask_tokenize__(self) -> tuple[str, str]:
        # that of a store in memory would be made of all that is in it
        return str(self.store), self.name

    @property
    def directory(self) -> Path | None:
        """The directory of the store; None where it has none: nothing can be renamed or locked."""
        if isinstance(self.store, LocalStore):
            return self.store.root
        return Path(self.store) if isinstance(self.store, str) and "://" not in self.store else None

    @property
    def folder(self) -> Path | None:
        """The directory of the group; None where the store is in none."""
        return self.directory and self.directory / self.name

    @property
    def beside(self) -> "Group":
        """The group in which what is to replace this one is written."""
        return Group(self.store, f"{self.name}/{swap.NEXT}".strip("/"))

    def open(self, mode: Literal["r", "r+", "a"]) -> zarr.Group:
        """Return the group as Zarr has it; to be read, it may be of the format before ours."""
        # to look for both formats at once takes four requests instead of one
        try:
            return zarr.open_group(self.store, path=self.name, mode=mode, zarr_format=3)
        except FileNotFoundError as error:
            _let_go(error)
            if mode != "r":
                raise
        return zarr.open_group(self.store, path=self.name, mode=mode)

    def state(self) -> dict[str, Any]:
        """Return what the group states of itself; {} where there is none, or nothing of its own."""
        stated = swap.attributes_of(self.folder).get(STATE)
        if isinstance(stated, dict):
            return stated
        try:
            found = self.open("r")
            with leftovers_passed_over():
                bare = not dict(found.attrs) and not list(found.array_keys())
        except FileNotFoundError as error:
            _let_go(error)
            if self.folder is not None and any(swap.arrays_in(self.folder)):
                return {DAMAGED: f"{swap.METADATA} is lost"}
            # a store that has other groups has room for one more, and so has an empty directory
            root = self.directory
            if root is None or not root.exists() or (root / swap.METADATA).exists():
                return {}
            return FOREIGN if not root.is_dir() or is_taken(root) else {}
        except (ContainsArrayError, NotADirectoryError):
            return FOREIGN
        except STUMBLED as error:
            return {DAMAGED: f"{swap.METADATA} is damaged ({error})"}
        state: Any = found.attrs.get(STATE, {} if bare else {"unknown": True})
        return state if isinstance(state, dict) else {DAMAGED: f"{swap.METADATA} is damaged"}

    def is_whole(self, identity: str) -> bool:
        """Return whether it has all of the Dataset of this identity."""
        state = self.state()
        return bool(state.get("complete")) and state["identity"] == identity

    @contextmanager
    def sole_writer(self) -> Iterator[None]:
        """Keep others from writing to it; what is in no directory is left to its users."""
        if self.directory is None:
            yield
            return
        # beside the store: in it, what is no array and no group is a warning for others
        parent, store = os.path.split(os.path.realpath(self.directory))
        if self.directory.is_dir() and not os.access(parent, os.W_OK):
            parent = str(self.directory)
        file = f".{'~'.join([store, *self.name.split('/')])}.lock"
        with locked(os.path.join(parent, file), str(self)):
            yield

"""How many requests a store gets, by what is done with it.

``python -m tests.benchmarks.requests`` prints a table: requests a frame that is written, and to
open a group, to read a frame of it, and to read a band of rows of all frames. On an object store
each is a round trip, and costs money.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from zarr.abc.store import Store
from zarr.storage import MemoryStore, WrapperStore

import autowisp_xr as aw
from autowisp_xr import simulate

__all__ = ["Counting", "counted", "main", "table"]

READS, WRITES, OTHERS = "reads", "writes", "others"
_KINDS = {
    "get": READS,
    "get_partial_values": READS,
    "set": WRITES,
    "set_if_not_exists": WRITES,
    "delete": OTHERS,
    "delete_dir": OTHERS,
    "exists": OTHERS,
    "list": OTHERS,
    "list_dir": OTHERS,
    "list_prefix": OTHERS,
    "is_empty": OTHERS,
    "clear": OTHERS,
}


class Counting(WrapperStore[Store]):
    """A store that counts the requests it gets, by kind, in ``requests``."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.requests: Counter[str] = Counter()

    def _with_store(self, store: Store) -> "Counting":
        other = type(self)(store)
        other.requests = self.requests
        return other


def _counting(name: str, kind: str) -> Callable[..., Any]:
    def method(self: Counting, *args: Any, **kwargs: Any) -> Any:
        self.requests[kind] += 1
        return getattr(super(Counting, self), name)(*args, **kwargs)

    return method


for _name, _kind in _KINDS.items():
    setattr(Counting, _name, _counting(_name, _kind))


def counted(store: Counting, work: Callable[[], Any]) -> tuple[Any, Counter[str]]:
    """What some work gives, and the requests that it makes."""
    store.requests.clear()
    result = work()
    return result, Counter(store.requests)


def table(few: int = 4, many: int = 12, shape: tuple[int, int] = (64, 96)) -> dict[str, Any]:
    """Requests by what is done: a frame that is written, an opening, a frame, a band of all."""
    night = simulate.Night(shape=shape, seed=1)
    bias = aw.master_bias(night.bias(3))
    frames = aw.calibrate(night.objects(many), bias=bias).compute()

    def written(ds: xr.Dataset) -> tuple[Counting, Counter[str]]:
        store = Counting(MemoryStore())
        return store, counted(store, lambda: aw.to_zarr(ds, store, group="calibrated"))[1]

    _, some = written(frames.isel(frame=slice(few)))
    store, all_of_them = written(frames)
    ds, opening = counted(store, lambda: aw.open_zarr(store, group="calibrated"))
    _, frame = counted(store, lambda: ds.isel(frame=1).compute())
    _, band = counted(store, lambda: ds.isel(y=slice(3, 5)).compute())
    total = np.subtract(*(sum(each.values()) for each in (all_of_them, some))) / (many - few)
    return {
        "to write a frame": {
            kind: (all_of_them[kind] - some[kind]) / (many - few)
            for kind in (READS, WRITES, OTHERS)
        },
        "to write a set beside": {"all": sum(some.values()) - few * total},
        "to open a group": dict(opening),
        "to read a frame": dict(frame),
        "to read a band, by frame": {kind: n / many for kind, n in band.items()},
    }


def main() -> None:
    for what, numbers in table().items():
        listed = ", ".join(f"{n:.4g} {kind}" for kind, n in numbers.items() if n)
        print(f"{what:26} {listed}")


if __name__ == "__main__":
    main()

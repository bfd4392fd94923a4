"""Any store of Zarr: in memory, behind an address, in a directory by an object."""

import asyncio
import shutil

import dask
import numpy as np
import pytest
from zarr.storage import LocalStore, MemoryStore, WrapperStore, ZipStore

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.errors import BadImageError
from autowisp_xr.testing import assert_frames_equal, no_compute


@pytest.fixture(scope="module")
def sky():
    return simulate.Night(shape=(20, 24), seed=7, overscan=8)


class Transactional(MemoryStore):
    """Takes its time for outlines, and knows no chunk of an array that it does not know."""

    async def set(self, key, value, byte_range=None):
        array, chunk, _ = key.partition("/c")
        if key.endswith("zarr.json"):
            await asyncio.sleep(0.01)
        elif chunk and f"{array}/zarr.json" not in self._store_dict:
            raise KeyError(key)
        await super().set(key, value, byte_range)


@pytest.fixture(params=["memory", "directory", "wrapped", "address"])
def store(request, tmp_path):
    return {
        "memory": MemoryStore,
        "directory": lambda: LocalStore(tmp_path / "n.zarr"),
        "wrapped": lambda: WrapperStore(LocalStore(tmp_path / "n.zarr")),
        "address": lambda: f"memory://{tmp_path.name}",
    }[request.param]()


@pytest.fixture(autouse=True)
def _empty_memory():
    yield
    try:
        from fsspec.implementations.memory import MemoryFileSystem
    except ImportError:
        return
    MemoryFileSystem.store.clear()


@pytest.mark.parametrize("lazy", [False, True])
def test_frames_and_masters_come_back_to_the_bit(sky, store, lazy):
    frames = sky.objects(3).chunk(frame=1) if lazy else sky.objects(3).compute()
    master = aw.master_bias(sky.bias(3))
    back = aw.to_zarr(frames, store, group="raw/object")
    aw.to_zarr(master, store, group="masters/bias")
    assert_frames_equal(back, frames)
    assert_frames_equal(aw.open_zarr(store, group="masters/bias"), master)
    assert aw.store.groups_of(store) == ["masters/bias", "raw/object"]
    assert not back["image"].variable._in_memory
    np.testing.assert_array_equal(back["image"][1:, :, 3:5].values, frames["image"][1:, :, 3:5])


def test_the_same_again_computes_nothing_and_something_else_is_refused(sky, store):
    frames = sky.objects(2).chunk(frame=1)
    aw.to_zarr(frames, store)
    other = sky.objects(3).chunk(frame=1)
    with no_compute():
        aw.to_zarr(frames, store)
        with pytest.raises(FileExistsError, match="holds something else"):
            aw.to_zarr(other, store)
    assert_frames_equal(aw.open_zarr(store), frames)


def test_only_what_is_in_a_directory_is_replaced(sky, tmp_path):
    here, there = MemoryStore(), LocalStore(tmp_path / "n.zarr")
    for store in (here, there):
        aw.to_zarr(sky.objects(2), store)
    with pytest.raises(FileExistsError, match=r"memory://.* only what is in a directory"):
        aw.to_zarr(sky.objects(3), here, overwrite=True)
    assert aw.to_zarr(sky.objects(3), there, overwrite=True).sizes["frame"] == 3
    assert aw.open_zarr(tmp_path / "n.zarr").sizes["frame"] == 3


def test_what_failed_is_taken_up_where_it_stopped(sky):
    store, seen = MemoryStore(), []

    def count(block):
        seen.append(block)
        if len(seen) == 2:
            raise RuntimeError("power cut")
        return block

    frames = sky.objects(4).chunk(frame=1)
    image = frames["image"].data.map_blocks(count, name="counted", meta=np.empty(0, "u2"))
    frames = frames.assign(image=frames["image"].variable.copy(data=image))
    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(RuntimeError, match="power cut"):
            aw.to_zarr(frames, store)
        with pytest.raises(BadImageError, match="1 of 4 frames are written"):
            aw.open_zarr(store)
        assert aw.open_zarr(store, unfinished=True).sizes["frame"] == 1
        assert_frames_equal(aw.to_zarr(frames, store), sky.objects(4))
    assert len(seen) == 5, "each frame once, and the one that failed again"


def test_a_store_in_a_zip_file_is_read(sky, tmp_path):
    frames = sky.objects(2).compute()
    aw.to_zarr(frames, tmp_path / "n.zarr")
    path = shutil.make_archive(str(tmp_path / "n"), "zip", tmp_path / "n.zarr")
    with ZipStore(path, mode="r") as packed:
        assert_frames_equal(aw.open_zarr(packed), frames)


def test_a_store_that_is_only_read_is_not_written_to(sky, tmp_path):
    aw.to_zarr(sky.objects(2), tmp_path / "n.zarr", group="a")
    store = LocalStore(tmp_path / "n.zarr", read_only=True)
    assert aw.open_zarr(store, group="a").sizes["frame"] == 2
    with pytest.raises(ValueError, match="read-only"):
        aw.to_zarr(sky.objects(2), store, group="b")


def test_what_is_missing_is_named():
    with pytest.raises(FileNotFoundError, match="memory://"):
        aw.open_zarr(MemoryStore())
    assert aw.store.groups_of(MemoryStore()) == []
    assert aw.store.identity_of(MemoryStore(), "g") is None


def test_outlines_of_arrays_are_there_before_their_chunks(sky):
    frames = sky.objects(2)
    assert_frames_equal(aw.to_zarr(frames, Transactional(), group="night"), frames)

"""Whole chunks in a directory are written by compiled code, as Zarr would."""

import multiprocessing
import os
import warnings

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec
from zarr.storage import LocalStore

from autowisp_xr import _compat
from autowisp_xr.flags import Flag
from autowisp_xr.store import array_writing
from autowisp_xr.store.array_writing import Arrays
from autowisp_xr.store.group import Group
from autowisp_xr.store.soundness import CHECKSUM

SHAPE, SHARD = (3, 2, 10, 16), (1, 2, 8, 16)
RAW = np.random.default_rng(4).integers(0, 2000, SHAPE).astype(np.uint16)
WHOLE = [
    ...,
    slice(1, 2),
    (slice(0, 3), slice(None), slice(8, 10)),
    (slice(2, 3), slice(None), slice(0, 8)),
]
PARTS = [(slice(0, 1), slice(0, 1)), (slice(None), slice(None), slice(0, 9))]


@pytest.fixture
def place(tmp_path):
    """Give a new directory, and arrays of one plane in it."""

    def made(name="store", dtype=np.uint16, **options):
        lz4 = BloscCodec(cname="lz4", shuffle="bitshuffle", typesize=np.dtype(dtype).itemsize)
        array = zarr.create_array(
            LocalStore(tmp_path / name),
            name="image",
            shape=SHAPE,
            dtype=dtype,
            chunks=(1, 1, 4, 16),
            shards=SHARD,
            compressors=[lz4, CHECKSUM],
            config={"write_empty_chunks": True},
            **options,
        )
        return tmp_path / name, Arrays(
            Group(str(tmp_path / name), ""), {"image": array.async_array}
        )

    return made


def files(root):
    """All files of a store but the outlines, with their bytes."""
    found = (file for file in root.rglob("*") if file.is_file() and file.name != "zarr.json")
    return {str(file.relative_to(root)): file.read_bytes() for file in found}


@pytest.fixture
def no_zarrs(monkeypatch):
    """Leave it all to Zarr."""
    return lambda: monkeypatch.setattr(array_writing, "has_zarrs", lambda: False)


@pytest.fixture
def by_zarrs(monkeypatch):
    """What was given to zarrs, by the ending of its files."""
    given = []

    def noted(array, ending):
        given.append(ending)
        return _compat.write_by_zarrs(array, ending)

    monkeypatch.setattr(array_writing, "write_by_zarrs", noted)
    return given


@pytest.mark.parametrize("where", WHOLE)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.uint8])
def test_pixels_are_those_of_zarr_and_files_as_large(where, dtype, place, by_zarrs, no_zarrs):
    part = RAW.astype(dtype)[where]
    one, fast = place("one", dtype)
    fast.write({"image": part}, where)
    assert len(by_zarrs) == 1
    no_zarrs()
    other, plain = place("other", dtype)
    plain.write({"image": part}, where)
    assert len(by_zarrs) == 1
    sizes = [{name: len(content) for name, content in files(root).items()} for root in (one, other)]
    assert sizes[0] == sizes[1]
    np.testing.assert_array_equal(zarr.open_array(one / "image")[where], part)


def test_files_have_the_same_bits_each_time(place):
    found = []
    for number in range(5):
        root, arrays = place(str(number))
        arrays.write({"image": RAW}, ...)
        found.append(files(root))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("where", PARTS)
def test_a_part_of_a_chunk_leaves_the_rest_of_it(where, place, by_zarrs):
    root, arrays = place()
    arrays.write({"image": RAW}, ...)
    by_zarrs.clear()
    arrays.write({"image": np.zeros_like(RAW[where])}, where)
    assert not by_zarrs
    expected = RAW.copy()
    expected[where] = 0
    np.testing.assert_array_equal(zarr.open_array(root / "image")[...], expected)


def test_a_file_that_is_linked_elsewhere_stays_as_it_is(place, tmp_path):
    root, arrays = place()
    arrays.write({"image": RAW}, ...)
    file, link = root / "image/c/0/0/0/0", tmp_path / "link"
    os.link(file, link)
    before = link.read_bytes()
    arrays.write({"image": RAW[:1] + 1}, slice(0, 1))
    assert link.read_bytes() == before != file.read_bytes()


def test_what_compiled_code_cannot_write_zarr_writes(place, monkeypatch):
    root, arrays = place()

    def broken(array, ending):
        (root / "image/c/1/0/0").mkdir(parents=True)
        (root / f"image/c/1/0/0/0{ending}").write_bytes(b"half")
        raise RuntimeError("no room")

    monkeypatch.setattr(array_writing, "write_by_zarrs", broken)
    arrays.write({"image": RAW[1:2]}, slice(1, 2))
    np.testing.assert_array_equal(zarr.open_array(root / "image")[1:2], RAW[1:2])
    assert sorted(files(root)) == ["image/c/1/0/0/0", "image/c/1/0/1/0"]


def test_a_disk_that_is_full_is_stated_as_by_zarr(place):
    root, arrays = place()
    (root / "image/c").write_bytes(b"")
    with pytest.raises(OSError, match="image/c") as caught:
        arrays.write({"image": RAW}, ...)
    assert isinstance(caught.value, NotADirectoryError | FileExistsError)


def test_a_forked_process_writes_for_itself(place):
    root, arrays = place()
    arrays.write({"image": RAW}, ...)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert not pool.apply(array_writing.has_zarrs)
    np.testing.assert_array_equal(zarr.open_array(root / "image")[...], RAW)


def test_planes_that_are_given_stay_as_they_are(place):
    _, arrays = place(dtype=np.float32)
    image = RAW.astype(np.float32)
    image[0, 0, 0, 0] = np.nan
    mask = np.zeros(SHAPE, np.uint8)
    _, masks = place("masks", np.uint8)
    both = Arrays(arrays.group, {**arrays.named, "mask": masks.named["image"]})
    before = image.copy(), mask.copy()
    both.write({"image": image, "mask": mask}, ...)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])
    written = zarr.open_array(masks.group.directory / "image")[...]
    assert written[0, 0, 0, 0] == Flag.FAULT
    assert written.sum() == Flag.FAULT

"""Whole files of a directory are written without Zarr, as Zarr would."""

import os

import numpy as np
import pytest
import zarr
from numcodecs import Blosc
from zarr.codecs import BloscCodec
from zarr.storage import LocalStore

from autowisp_xr.flags import Flag
from autowisp_xr.store import array_writing
from autowisp_xr.store.array_writing import Arrays
from autowisp_xr.store.group import Group
from autowisp_xr.store.soundness import CHECKSUM

SHAPE, SHARD = (3, 2, 10, 16), (1, 2, 8, 16)
RAW = np.random.default_rng(4).integers(0, 2000, SHAPE).astype(np.uint16)
LZ4 = BloscCodec(cname="lz4", shuffle="bitshuffle", typesize=2)
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
def by_zarr_alone(monkeypatch):
    """Leave it all to Zarr, once this is called."""
    return lambda: monkeypatch.setattr(array_writing.ChunkFiles, "of", lambda *given: None)


@pytest.fixture
def by_zarr(monkeypatch):
    """The places that Zarr wrote to."""
    given, real = [], zarr.AsyncArray.setitem

    async def noted(array, where, *values, **options):
        given.append(where)
        return await real(array, where, *values, **options)

    monkeypatch.setattr(zarr.AsyncArray, "setitem", noted)
    return given


@pytest.mark.parametrize("where", WHOLE)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.uint8])
def test_pixels_are_those_of_zarr(where, dtype, place, by_zarr, by_zarr_alone):
    part = RAW.astype(dtype)[where]
    one, fast = place("one", dtype)
    fast.write({"image": part}, where)
    assert not by_zarr
    np.testing.assert_array_equal(zarr.open_array(one / "image")[where], part)
    by_zarr_alone()
    other, plain = place("other", dtype)
    plain.write({"image": part}, where)
    assert by_zarr == [where]
    assert list(files(one)) == list(files(other))


def test_files_of_one_channel_are_those_of_zarr_to_the_bit(tmp_path, by_zarr_alone):
    # of several, Zarr puts the chunks of a file down in another order
    found = []
    for name in ("one", "other"):
        array = zarr.create_array(
            LocalStore(tmp_path / name),
            name="image",
            shape=(2, 1, 8, 16),
            dtype=np.uint16,
            chunks=(1, 1, 4, 16),
            shards=(1, 1, 8, 16),
            compressors=[LZ4, CHECKSUM],
            config={"write_empty_chunks": True},
        )
        arrays = Arrays(Group(str(tmp_path / name), ""), {"image": array.async_array})
        arrays.write({"image": RAW[:2, :1, :8]})
        found.append(files(tmp_path / name))
        by_zarr_alone()
    assert found[0] == found[1]


def test_files_have_the_same_bits_each_time(place):
    found = []
    for number in range(5):
        root, arrays = place(str(number))
        arrays.write({"image": RAW}, ...)
        found.append(files(root))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("where", PARTS)
def test_a_part_of_a_file_leaves_the_rest_of_it(where, place, by_zarr):
    root, arrays = place()
    arrays.write({"image": RAW}, ...)
    arrays.write({"image": np.zeros_like(RAW[where])}, where)
    assert by_zarr == [where]
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


@pytest.mark.parametrize("failing", ["encode", "replace"])
def test_what_fails_half_way_leaves_what_was_there(failing, place, monkeypatch):
    root, arrays = place()
    arrays.write({"image": RAW}, ...)
    before, left = files(root), [1, 1]

    def full(*given):
        if not left:
            raise OSError(28, "No space left on device")
        left.pop()
        return real(*given)

    of = {"encode": Blosc, "replace": os}[failing]
    real = getattr(of, failing)
    monkeypatch.setattr(of, failing, full)
    with pytest.raises(OSError, match="No space left"):
        arrays.write({"image": RAW + 1}, ...)
    after = files(root)
    assert after.keys() == before.keys()
    assert after["image/c/2/0/1/0"] == before["image/c/2/0/1/0"]


def test_a_directory_that_cannot_be_is_an_error_of_the_system(place):
    root, arrays = place()
    (root / "image/c").write_bytes(b"")
    with pytest.raises(OSError, match="image/c"):
        arrays.write({"image": RAW}, ...)


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

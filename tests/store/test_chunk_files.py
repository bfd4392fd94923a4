"""Chunks are decoded into their places as Zarr does it, and whatever is wrong with them shows."""

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ZstdCodec

from autowisp_xr.store.chunk_files import ChunkFiles

VALUES = np.arange(7 * 10, dtype="f4").reshape(7, 10)
PACKED = [BloscCodec(cname="lz4", shuffle="bitshuffle"), Crc32cCodec()]


@pytest.fixture
def made(tmp_path):
    """An array, of chunks that end beyond it, and its files."""

    def made(bare=(), **how):
        options = {"data": VALUES, "chunks": (2, 4), "shards": (4, 8), "compressors": PACKED}
        array = zarr.create_array(tmp_path / "a", **{**options, "fill_value": 5, **how})
        return array, ChunkFiles.of(array, tmp_path / "a", bare)

    return made


@pytest.mark.parametrize("shards", [(4, 8), None])
@pytest.mark.parametrize(
    "key",
    [
        (slice(None), slice(None)),
        (1, slice(2, 9)),
        (slice(0, 7, 2), slice(None)),
        (np.array([3, 0, 3]), 9),
        (slice(2, 4), np.array([0, 5])),
        (slice(3, 3), slice(None)),
        (6, 8),
    ],
)
def test_values_are_those_of_zarr(key, shards, made):
    array, files = made(shards=shards)
    found = files.read(key)
    np.testing.assert_array_equal(found, array.oindex[key])
    assert found.dtype == VALUES.dtype


def test_chunks_of_the_fill_value_alone_are_in_no_file(made):
    array, _ = made()
    array[0:2, 0:4] = 5
    array[4:8, :] = 5
    files = ChunkFiles.of(array, array.store.root, [[1, 2]])
    assert not (array.store.root / "c/1/0").exists()
    np.testing.assert_array_equal(files.read((slice(None), slice(None))), array[...])


def test_a_file_that_is_lost_is_an_error(made):
    array, files = made()
    (array.store.root / "c/1/0").unlink()
    with pytest.raises(FileNotFoundError, match="c/1/0"):
        files.read((slice(None), slice(None)))
    np.testing.assert_array_equal(files.read((slice(0, 4), 3)), VALUES[:4, 3])


@pytest.mark.parametrize("where", [3, -3])
def test_a_bit_that_is_changed_is_an_error(where, made):
    array, files = made()
    file = array.store.root / "c/0/0"
    data = bytearray(file.read_bytes())
    data[where] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        files.read((slice(None), slice(None)))


@pytest.mark.parametrize("length", [0, 10, 100])
def test_a_file_that_is_cut_off_is_an_error(length, made):
    array, files = made()
    file = array.store.root / "c/0/0"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises((ValueError, OSError)):
        files.read((slice(None), slice(None)))


@pytest.mark.parametrize(
    "how",
    [
        {"compressors": [ZstdCodec(), Crc32cCodec()]},
        {"compressors": PACKED[:1]},
        {"compressors": None},
        {"serializer": BytesCodec(endian="big")},
    ],
)
def test_other_kinds_are_left_to_zarr(how, made):
    _, files = made(**how)
    assert files is None

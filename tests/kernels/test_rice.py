from types import FunctionType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autowisp_xr.kernels import rice
from tests.kernels import slow_rice

KINDS = ["uint8", "int16", "int32"]


def decode(content, size, block, dtype, decode_tiles=rice.decode_tiles):
    """Pixels of one tile; None where it is damaged."""
    data = np.concatenate([np.frombuffer(content, np.uint8), np.zeros(rice.PADDING, np.uint8)])
    out = np.empty(size, f"u{np.dtype(dtype).itemsize}")
    length = np.array([len(content)])
    done = decode_tiles(data, np.zeros(1, np.int64), length, np.array([size]), block, out)
    return out.view(dtype) if done else None


def extremes(dtype, rng):
    info = np.iinfo(dtype)
    return {
        "equal": np.full(75, info.max, dtype),
        "noise": (rng.normal(100, 10, 75)).astype(dtype),
        "any": rng.integers(info.min, info.max, 75, dtype, endpoint=True),
        "alternating": np.where(np.arange(75) % 2, info.min, info.max).astype(dtype),
        "spikes": np.where(np.arange(75) % 20, 3, info.max).astype(dtype),
        "ramp": np.arange(75).astype(dtype),
        "single": np.array([info.min], dtype),
    }


@pytest.fixture
def interpreted():
    """The kernel as Python, in which an index outside an array is an error."""
    scope = dict(vars(rice))
    for name in ("decode_tiles", "_decode", "_next", "_bits", "_leading_zeros"):
        kernel = getattr(rice, name)
        scope[name] = FunctionType(getattr(kernel, "py_func", kernel).__code__, scope)
    return scope["decode_tiles"]


def test_a_tile_by_hand_is_decoded():
    # 1000, then code 2 (one low bit kept): differences 0, 1, -1, 2 are mapped to 0, 2, 1, 4
    bits = f"{1000:016b}" + "0010" + "10" + "010" + "11" + "0010"
    content = int(bits.ljust(32, "0"), 2).to_bytes(4, "big")
    np.testing.assert_array_equal(decode(content, 4, 32, "int16"), [1000, 1001, 1000, 1002])


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("block", [1, 16, 32, 100])
def test_extreme_tiles_come_back(dtype, block, rng, interpreted):
    for pixels in extremes(dtype, rng).values():
        content = slow_rice.encode(pixels, block)
        np.testing.assert_array_equal(decode(content, pixels.size, block, dtype), pixels)
        np.testing.assert_array_equal(slow_rice.decode(content, pixels.size, block, dtype), pixels)
        again = decode(content, pixels.size, block, dtype, interpreted)
        np.testing.assert_array_equal(again, pixels)


@pytest.mark.parametrize(("dtype", "codes"), [("uint8", 8), ("int16", 16), ("int32", 27)])
def test_every_code_of_a_block_is_understood(dtype, codes):
    pixels = np.array([7, 9, 8, 8, 4, 100], dtype)
    for code in range(1, codes):
        content = slow_rice.encode(pixels, 32, [code])
        np.testing.assert_array_equal(decode(content, 6, 32, dtype), pixels)


@given(
    pixels=st.sampled_from(KINDS).flatmap(
        lambda kind: hnp.arrays(kind, st.integers(1, 70), elements=hnp.from_dtype(np.dtype(kind)))
    ),
    block=st.integers(1, 40),
)
def test_any_pixels_come_back(pixels, block):
    content = slow_rice.encode(pixels, block)
    np.testing.assert_array_equal(decode(content, pixels.size, block, pixels.dtype), pixels)
    # a byte less, and the last pixel, or part of it, is missing
    assert decode(content[:-1], pixels.size, block, pixels.dtype) is None
    assert decode(content + b"\0", pixels.size, block, pixels.dtype) is None


@pytest.mark.parametrize("dtype", KINDS)
def test_tiles_follow_each_other(dtype, rng):
    tiles = list(extremes(dtype, rng).values())
    contents = [slow_rice.encode(pixels, 32) for pixels in tiles]
    lengths = np.array([len(content) for content in contents])
    # with a gap between them, and in the opposite order
    gap = 3
    starts = np.cumsum((lengths + gap)[::-1])[::-1] - lengths
    data = np.full(int(starts.max() + lengths.max()) + 200, 255, np.uint8)
    for content, start in zip(contents, starts, strict=True):
        data[start : start + len(content)] = np.frombuffer(content, np.uint8)
    before = data.copy()
    sizes = np.array([pixels.size for pixels in tiles])
    out = np.zeros(sizes.sum() + 5, f"u{np.dtype(dtype).itemsize}")
    assert rice.decode_tiles(data, starts, lengths, sizes, 32, out) == len(tiles)
    np.testing.assert_array_equal(out.view(dtype), np.concatenate([*tiles, np.zeros(5, dtype)]))
    np.testing.assert_array_equal(data, before)


def test_the_first_damaged_tile_is_reported():
    good = slow_rice.encode(np.arange(20, dtype="int16"), 32)
    data = np.frombuffer(good + b"\0\0" + good + bytes(8), np.uint8).copy()
    length = len(good)
    starts, lengths = np.array([0, length, length + 2]), np.array([length, 2, length])
    out = np.zeros(60, "uint16")
    assert rice.decode_tiles(data, starts, lengths, np.full(3, 20), 32, out) == 1
    np.testing.assert_array_equal(out[:20], np.arange(20))


@pytest.mark.parametrize(
    ("start", "length", "size", "block"),
    [
        (-1, 10, 20, 32),
        (0, 1, 20, 32),
        (0, -5, 20, 32),
        (0, 200, 20, 32),
        (1 << 62, 10, 20, 32),
        (0, 1 << 62, 20, 32),
        (0, 10, 21, 32),
        (0, 10, -1, 32),
        (0, 10, 20, 0),
    ],
)
def test_tiles_outside_their_bytes_or_pixels_are_not_decoded(start, length, size, block):
    data, out = np.full(30, 255, np.uint8), np.zeros(20, "uint16")
    starts, lengths, sizes = np.array([start]), np.array([length]), np.array([size])
    assert rice.decode_tiles(data, starts, lengths, sizes, block, out) == 0
    assert not out.any()


@pytest.mark.parametrize("dtype", KINDS)
def test_hostile_bytes_are_refused_or_mean_what_they_state(dtype, rng, interpreted):
    refused = 0
    for number in range(4000):
        kind = number % 4
        if kind == 0:
            content = rng.integers(0, 256, rng.integers(0, 60), np.uint8)
        else:
            pixels = rng.normal(100, 10.0**kind, 40).astype("int64").astype(dtype)
            content = np.frombuffer(slow_rice.encode(pixels, 16), np.uint8).copy()
            places = rng.integers(0, content.size, kind)
            content[places] = rng.integers(0, 256, kind)
            content = content[: rng.integers(0, content.size + 5)]
        found = decode(content.tobytes(), 40, 16, dtype)
        expected = slow_rice.decode(content.tobytes(), 40, 16, dtype)
        assert (found is None) == (expected is None)
        if expected is not None:
            np.testing.assert_array_equal(found, expected)
        if number % 10 == 0:
            again = decode(content.tobytes(), 40, 16, dtype, interpreted)
            assert (again is None) == (expected is None)
        refused += expected is None
    assert 500 < refused < 3900

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from autowisp_xr.kernels import window_rank as module
from autowisp_xr.kernels.window_rank import windowed_rank


def slow_ranks(image, size, rank):
    windows = np.lib.stride_tricks.sliding_window_view(image, size)
    return np.sort(windows.reshape(*windows.shape[:2], -1), axis=-1)[..., rank]


def test_the_median_of_three_by_hand():
    image = np.array([[5.0, 1.0, 4.0, 9.0, 2.0]])
    np.testing.assert_array_equal(windowed_rank(image, (1, 3), 1), [[4, 4, 4]])
    np.testing.assert_array_equal(windowed_rank(image.T, (3, 1), 1), [[4], [4], [4]])
    np.testing.assert_array_equal(windowed_rank(image, (1, 5), 1), [[2]])


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 5), (8, 8), (12, 7), (20, 30)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_every_rank_of_every_window_agrees_with_sorting_it(size, share, rng):
    image = rng.normal(size=(33, 45))
    rank = round(share * (size[0] * size[1] - 1))
    np.testing.assert_array_equal(windowed_rank(image, size, rank), slow_ranks(image, size, rank))


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.floats(0, 1),
    st.sampled_from([2, 1000]),
)
@settings(deadline=None)
def test_any_window_of_any_image_with_or_without_ties_agrees(seed, shape, size, share, values):
    image = np.random.default_rng(seed).integers(0, values, shape).astype(float)
    size = min(shape[0], size[0]), min(shape[1], size[1])
    rank = int(share * (size[0] * size[1] - 1))
    np.testing.assert_array_equal(windowed_rank(image, size, rank), slow_ranks(image, size, rank))


@pytest.mark.parametrize("tile", [1, 5, 16])
def test_tiles_change_nothing(tile, rng, monkeypatch):
    image = rng.normal(size=(40, 53))
    whole = windowed_rank(image, (4, 3), 5)
    monkeypatch.setattr(module, "_TILE", tile)
    np.testing.assert_array_equal(windowed_rank(image, (4, 3), 5), whole)


@pytest.mark.parametrize("kind", ["noise", "slope", "steps", "constant"])
def test_images_of_several_tiles_agree_with_scipy(kind, rng):
    y, x = np.mgrid[:300.0, :170.0]
    image = {
        "noise": rng.normal(size=y.shape),
        "slope": 1e6 * y - x,
        "steps": (x // 40) * 1e9 + rng.integers(0, 3, y.shape),
        "constant": np.full(y.shape, 0.1),
    }[kind]
    expected = ndimage.median_filter(image, (9, 12))[4:-4, 6:-5]
    np.testing.assert_array_equal(windowed_rank(image, (9, 12), 54), expected)


def test_infinities_are_the_ends_of_the_ranks():
    image = np.array([[np.inf, 1.0, -np.inf, 2.0, np.inf]])
    np.testing.assert_array_equal(windowed_rank(image, (1, 3), 1), [[1, 1, 2]])
    np.testing.assert_array_equal(windowed_rank(image, (1, 3), 2), [[np.inf, 2, np.inf]])


def test_the_input_is_untouched_in_any_layout(rng):
    image = rng.normal(size=(20, 30))
    image.setflags(write=False)
    expected = windowed_rank(image.copy(), (3, 5), 7)
    np.testing.assert_array_equal(windowed_rank(image, (3, 5), 7), expected)
    np.testing.assert_array_equal(windowed_rank(image.T, (5, 3), 7), expected.T)
    np.testing.assert_array_equal(windowed_rank(image[::-1], (3, 5), 7), expected[::-1])

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from autowisp_xr.image_smoothing import WrapFilterAsSmoother, filters
from autowisp_xr.image_smoothing.filters import ranked

MODES = ("reflect", "nearest", "mirror", "wrap", "constant")
FILTERS = st.one_of(
    st.just((ndimage.median_filter, {})),
    st.tuples(
        st.just(ndimage.percentile_filter),
        st.fixed_dictionaries({"percentile": st.one_of(st.floats(-100, 100), st.integers(0, 100))}),
    ),
    st.tuples(
        st.just(ndimage.rank_filter), st.fixed_dictionaries({"rank": st.integers(-600, 599)})
    ),
)


@given(
    st.integers(0, 2**32 - 1),
    FILTERS,
    st.tuples(st.integers(1, 25), st.integers(1, 25)),
    st.one_of(st.integers(1, 8), st.tuples(st.integers(1, 25), st.integers(1, 25))),
    st.fixed_dictionaries({}, optional={"mode": st.sampled_from(MODES), "cval": st.just(3)}),
    st.booleans(),
)
@settings(deadline=None, max_examples=300)
def test_all_that_is_compiled_agrees_with_scipy(seed, kind, shape, size, options, ties):
    function, needed = kind
    image = np.random.default_rng(seed).normal(0, 3, shape)
    if ties:
        image = image.round()
    options = {"size": size, **needed, **options}
    smooth = ranked(function, image, options)
    if smooth is not None:
        np.testing.assert_array_equal(smooth, function(image, **options))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [3, 4, 9, (2, 7), [8, 3], np.int64(5)])
@pytest.mark.parametrize(
    ("function", "options"),
    [
        (ndimage.median_filter, {}),
        (ndimage.percentile_filter, {"percentile": 20}),
        (ndimage.percentile_filter, {"percentile": -30.5}),
        (ndimage.rank_filter, {"rank": 2}),
        (ndimage.rank_filter, {"rank": -3}),
    ],
)
def test_the_usual_options_are_compiled(function, options, size, mode, flat):
    options = {**options, "size": size, "mode": mode, "cval": 900}
    smooth = ranked(function, flat, options)
    np.testing.assert_array_equal(smooth, function(flat, **options))


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (ndimage.median_filter, {"size": 3, "origin": 1}),
        (ndimage.median_filter, {"size": 3, "axes": (0,)}),
        (ndimage.median_filter, {"footprint": np.eye(3, dtype=bool)}),
        (ndimage.median_filter, {"size": 3, "mode": "grid-wrap"}),
        (ndimage.median_filter, {"size": 3, "mode": "constant", "cval": np.nan}),
        (ndimage.median_filter, {"size": (23, 3)}),
        (ndimage.median_filter, {"size": 1}),
        (ndimage.percentile_filter, {"percentile": 0, "size": 5}),
        (ndimage.percentile_filter, {"percentile": 100, "size": 5}),
        (ndimage.uniform_filter, {"size": 3}),
    ],
)
def test_what_is_not_compiled_is_left_to_the_filter(function, options, flat):
    assert ranked(function, flat, options) is None
    smooth = WrapFilterAsSmoother(function, **options).smooth(flat)
    np.testing.assert_array_equal(smooth, function(flat, **options))


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (ndimage.median_filter, {}),
        (ndimage.median_filter, {"size": 0}),
        (ndimage.median_filter, {"size": (3, 3, 3)}),
        (ndimage.median_filter, {"size": 3, "mode": "reflekt"}),
        (ndimage.rank_filter, {"size": 3}),
        (ndimage.rank_filter, {"size": 3, "rank": 9}),
        (ndimage.rank_filter, {"size": 3, "rank": 1.5}),
        (ndimage.percentile_filter, {"size": 3, "percentile": 101}),
        (ndimage.percentile_filter, {"size": 3, "percentile": np.inf}),
    ],
)
def test_what_is_impossible_is_refused_by_the_filter_itself(function, options, flat):
    assert ranked(function, flat, options) is None
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        WrapFilterAsSmoother(function, **options).smooth(flat)


def test_a_smoother_asks_the_compiled_filter_first(flat, monkeypatch):
    monkeypatch.setattr(filters, "ranked", lambda *_: np.full(flat.shape, 7.0))
    smoother = WrapFilterAsSmoother(ndimage.median_filter, size=3)
    np.testing.assert_array_equal(smoother.smooth(flat), np.full(flat.shape, 7))


def test_a_filter_of_the_same_name_is_called_itself(flat):
    def median_filter(image, size):
        return image + size

    np.testing.assert_array_equal(
        WrapFilterAsSmoother(median_filter, size=3).smooth(flat), flat + 3
    )


def test_the_input_is_untouched(flat):
    before = flat.copy()
    ranked(ndimage.median_filter, flat, {"size": 4})
    np.testing.assert_array_equal(flat, before)

import pickle

import numpy as np
import pytest
from scipy import ndimage

from autowisp_xr.image_smoothing import (
    ChainSmoother,
    PolynomialImageSmoother,
    WrapFilterAsSmoother,
    bin_image,
    zoom_image,
)

MEDIAN = WrapFilterAsSmoother(ndimage.median_filter, size=3)
BOX = WrapFilterAsSmoother(ndimage.uniform_filter, size=5, bin_factor=2)
PLANE = PolynomialImageSmoother(num_x_terms=2, num_y_terms=2)


def test_smoothers_are_applied_in_order(flat):
    expected = BOX.smooth(MEDIAN.smooth(flat))
    np.testing.assert_array_equal(ChainSmoother(MEDIAN, BOX).smooth(flat), expected)
    assert not np.allclose(ChainSmoother(BOX, MEDIAN).smooth(flat), expected)


def test_binning_is_around_the_whole_chain(flat):
    image = flat[:20, :30]
    chain = ChainSmoother(MEDIAN, PLANE, bin_factor=(2, 3), zoom_interp_order=2)
    inner = PLANE.smooth(MEDIAN.smooth(bin_image(image, (2, 3))))
    expected = zoom_image(inner, (2, 3), 2)
    np.testing.assert_allclose(chain.smooth(image), expected)
    called = ChainSmoother(MEDIAN, PLANE).smooth(image, (2, 3), 2)
    np.testing.assert_allclose(called, expected)


def test_without_smoothers_images_stay_as_they_are(flat):
    flat[2, 2] = np.nan
    smooth = ChainSmoother().smooth(flat)
    np.testing.assert_array_equal(smooth, flat)
    assert not np.may_share_memory(smooth, flat)
    binned = ChainSmoother(bin_factor=2, zoom_interp_order=1).smooth(np.ones((5, 7)))
    np.testing.assert_allclose(binned, 1)


def test_gaps_are_left_to_the_first_smoother(flat):
    flat[4:8, 4:8] = np.nan
    smooth = ChainSmoother(MEDIAN, PLANE, bin_factor=2).smooth(flat)
    assert np.isfinite(smooth).all()
    np.testing.assert_array_equal(
        ChainSmoother(PLANE, MEDIAN).smooth(flat), MEDIAN.smooth(PLANE.smooth(flat))
    )


def test_a_chain_is_a_list():
    chain = ChainSmoother(MEDIAN)
    chain.append(BOX)
    chain.extend([PLANE, MEDIAN])
    chain.insert(1, PLANE)
    assert list(chain) == [MEDIAN, PLANE, BOX, PLANE, MEDIAN]
    assert chain.pop() == MEDIAN
    assert chain.pop(0) == MEDIAN
    assert len(chain) == 3
    assert chain[1:] == [BOX, PLANE]
    assert chain.index(BOX) == 1
    assert MEDIAN not in chain
    chain.remove(BOX)
    chain[0] = MEDIAN
    del chain[1]
    assert list(chain) == [MEDIAN]
    chain[:] = [PLANE, BOX]
    assert list(reversed(chain)) == [BOX, PLANE]
    chain.clear()
    assert len(chain) == 0
    with pytest.raises(IndexError):
        chain.pop()


@pytest.mark.parametrize(
    "put",
    [
        lambda chain, what: ChainSmoother(what),
        lambda chain, what: chain.append(what),
        lambda chain, what: chain.insert(0, what),
        lambda chain, what: chain.extend([what]),
        lambda chain, what: chain.__setitem__(0, what),
        lambda chain, what: chain.__setitem__(slice(None), [PLANE, what]),
    ],
)
@pytest.mark.parametrize("what", [ndimage.median_filter, None, PolynomialImageSmoother])
def test_only_smoothers_can_be_put_in(put, what):
    chain = ChainSmoother(MEDIAN)
    with pytest.raises(TypeError, match="a chain holds smoothers, not"):
        put(chain, what)
    assert list(chain) == [MEDIAN]


def test_a_chain_may_hold_others_but_not_itself():
    chain = ChainSmoother(ChainSmoother(MEDIAN))
    with pytest.raises(ValueError, match="cannot hold itself"):
        chain.append(chain)


def test_options_of_a_chain_are_those_for_binning_only(flat):
    with pytest.raises(TypeError, match="ChainSmoother has no option 'size'; it has 'bin_factor'"):
        ChainSmoother(MEDIAN).smooth(flat, size=3)
    with pytest.raises(TypeError, match="size"):
        ChainSmoother(MEDIAN, size=3)


def test_chains_are_values():
    chain = ChainSmoother(MEDIAN, PLANE, bin_factor=4)
    assert chain == ChainSmoother(MEDIAN, PLANE, bin_factor=4)
    assert chain == pickle.loads(pickle.dumps(chain))
    assert chain != ChainSmoother(PLANE, MEDIAN, bin_factor=4)
    assert chain != ChainSmoother(MEDIAN, PLANE)
    assert repr(chain).startswith("ChainSmoother(WrapFilterAsSmoother(median_filter, size=3), Poly")
    assert repr(chain).endswith("), bin_factor=4)")


def test_the_input_is_untouched(flat):
    before = flat.copy()
    for chain in (ChainSmoother(), ChainSmoother(MEDIAN, BOX, bin_factor=2)):
        chain.detrend(flat)
        np.testing.assert_array_equal(flat, before)

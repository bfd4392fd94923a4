import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from autowisp_xr.image_smoothing import bin_image, zoom_image
from autowisp_xr.image_smoothing.zooming import coefficients, direction


def slow_line(values, factor, order):
    """Differences of a spline through the sums up to each edge."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    edges = np.arange(values.size + 1.0)
    spline = make_interp_spline(edges, sums, k=order)
    return np.diff(spline(np.arange(values.size * factor + 1) / factor))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("more", [0, 1, 2, 3, 20])
def test_a_line_agrees_with_a_spline_through_its_sums(order, factor, more, rng):
    values = rng.normal(5, 1, order + more)
    zoomed = zoom_image(values[None], (1, factor), (1, order))[0]
    np.testing.assert_allclose(zoomed, slow_line(values, factor, order), rtol=1e-11, atol=1e-12)
    zoomed = zoom_image(values[:, None], (factor, 1), (order, 1))[:, 0]
    np.testing.assert_allclose(zoomed, slow_line(values, factor, order), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_rounding_does_not_grow_with_the_image(order, rng):
    image = rng.normal(1e5, 100, (600, 500))
    # sums of all pixels, as in the formula, would leave 1e-10
    np.testing.assert_allclose(bin_image(zoom_image(image, 3, order), 3), image, rtol=1e-14)


def test_the_coefficients_of_pixels_that_are_one_are_one():
    tables = direction(8, 2, 3), direction(9, 2, 4)
    ones = coefficients(np.ones((8, 9)), *tables)
    assert ones.shape == (8, 9)
    finer = [np.zeros((table.first.size, size)) for table, size in zip(tables, (8, 9), strict=True)]
    for matrix, table in zip(finer, tables, strict=True):
        for row, (first, weights) in enumerate(zip(table.first, table.weights, strict=True)):
            matrix[row, first : first + weights.size] = weights
    np.testing.assert_allclose(finer[0] @ ones @ finer[1].T, 1 / 4, rtol=1e-14)


def test_tables_are_made_once_and_cannot_be_written_to():
    tables = direction(31, 2, 4)
    assert direction(31, 2, 4) is tables
    assert tables.first.shape == (62,)
    assert tables.weights.shape == (62, 5)
    for array in (tables.factors, tables.first, tables.weights):
        assert not array.flags.writeable


def test_the_image_is_untouched(rng):
    image = rng.normal(size=(6, 7))
    before = image.copy()
    made = coefficients(image, direction(6, 2, 3), direction(7, 2, 3))
    np.testing.assert_array_equal(image, before)
    assert not np.may_share_memory(made, image)

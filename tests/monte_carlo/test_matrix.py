"""A part of the matrix of variances, and where it takes the known biases from."""

import pytest

from tests.monte_carlo import matrix
from tests.monte_carlo.matrix import Cell, Found, Scene

PIXELS = 20_000


# values about zero have a photon noise of their own trouble, and the MAD and the winsorized scatter
# of three integers are often zero: the printed matrix shows them
@pytest.mark.parametrize("frames", matrix.FRAMES)
@pytest.mark.parametrize("signal", [50, 5000])
@pytest.mark.parametrize(
    ("noise", "shared"), [("equal", False), ("equal", True), ("unequal", False)]
)
def test_the_error_plane_is_true_however_frames_are_averaged(noise, shared, signal, frames):
    found = [
        each
        for each in matrix.measured(Scene(noise, shared, 5.0, signal, frames), PIXELS)
        if frames > 3 or each.cell.reject not in ("mad 5", "winsor 5")
    ]
    assert len(found) > 15
    assert [each for each in found if each.fails] == []


def test_known_biases_are_those_of_the_docstring():
    scene = Scene("equal", False, 5.0, 50, 10)
    cell = Cell(scene, "mean", reject="mad 5", error="scatter", weights=None)
    assert matrix.expected(cell) == 0.99
    few = cell._replace(scene=cell.scene._replace(frames=3), average="median")
    assert matrix.expected(few) == 0.73
    assert matrix.expected(few._replace(error="propagate")) == 1.0
    assert matrix.expected(cell, 0.5) == pytest.approx(0.995)
    assert matrix.expected(cell._replace(reject="none")) == 1.0
    unequal = cell._replace(scene=scene._replace(noise="unequal"), reject="minmax 1")
    assert matrix.expected(unequal._replace(weights="variance")) == 1.24
    assert matrix.expected(unequal._replace(average="median", error="propagate")) == 1.0


@pytest.mark.parametrize(
    ("found", "error", "fails"),
    [(1.019, 0.0, False), (0.979, 0.0, True), (0.95, 0.01, False), (float("nan"), 0.1, True)],
)
def test_a_cell_fails_beyond_two_percent_and_four_standard_errors(found, error, fails):
    cell = next(matrix.cells(next(matrix.scenes())))
    assert Found(cell, 1.0, found, error).fails is fails

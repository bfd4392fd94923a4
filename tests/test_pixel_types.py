import numpy as np
import pytest

from autowisp_xr.matching.pixel_types import FLOATS, FRACTIONS, are_fractions, pixel_type

SOME = np.linspace(0.1, 0.4, 8).tolist()


@pytest.mark.parametrize(
    ("sample", "fractions"),
    [
        ([0.0, *SOME, 1.0, np.nan], True),
        ([SOME, SOME], True),
        ([0.5] * 20, False),
        (SOME[1:], False),
        ([0.0, 1.0, 0.0], False),
        ([-0.1, *SOME], False),
        ([1.2, *SOME], False),
        ([508.25, 512.5], False),
        ([], False),
        ([np.nan], False),
    ],
)
def test_floats_from_0_to_1_are_counts_over_the_largest(sample, fractions):
    assert are_fractions(sample) is fractions
    assert pixel_type("f4", sample) == (FRACTIONS if fractions else FLOATS)


def test_whole_numbers_are_called_by_their_bits():
    types = [pixel_type(kind) for kind in ("u1", "i2", "u2", "i4")]
    assert types == ["8-bit integers", "16-bit integers", "16-bit integers", "32-bit integers"]

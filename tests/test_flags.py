import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.flags import Flag, as_flag, names_of


def test_the_bits_are_those_of_the_original():
    names = ["FAULT", "HOT", "COSMIC", "OUTER", "OVERSATURATED", "LEAKED", "INTERPOLATED"]
    assert {name: int(Flag[name]) for name in names} == {
        name: 2**bit for bit, name in enumerate(names)
    }
    assert Flag.NAN is Flag.FAULT
    assert Flag.SATURATED == Flag.OVERSATURATED | Flag.LEAKED == 48
    assert Flag.BAD == Flag.ALL == sum(2**bit for bit in range(7))


def test_hot_and_nonlinear_pixels_are_the_flagged_ones_that_are_usable():
    assert list(Flag) == [*Flag.BAD, Flag.NONLINEAR]
    assert [flag for flag in Flag if flag not in Flag.UNUSABLE] == [Flag.HOT, Flag.NONLINEAR]
    assert as_flag("FAULT,COSMIC,OUTER,SATURATED,INTERPOLATED") == Flag.UNUSABLE


@given(st.integers(1, 255))
def test_flags_are_named_as_they_are_read(bits):
    assert as_flag(names_of(Flag(bits))) == bits


@pytest.mark.parametrize(
    ("names", "bits"),
    [
        ("BAD", 127),
        ("hot", 2),
        ("HOT,COSMIC", 6),
        (" HOT , 	NAN", 3),
        (["HOT", "SATURATED"], 50),
        (("HOT", 4), 6),
        ({"LEAKED"}, 32),
        (0, 0),
        (127, 127),
        (255, 255),
        ("nonlinear", 128),
        (Flag.HOT | Flag.OUTER, 10),
        ([], 0),
        ([Flag.HOT, 64], 66),
    ],
)
def test_flags_are_given_in_many_ways(names, bits):
    assert as_flag(names) == bits
    assert isinstance(as_flag(names), Flag)


@pytest.mark.parametrize("names", ["WARM", "HOT COSMIC", "HOT,", "", ["HOT", "warm"]])
def test_a_name_that_is_no_flag_is_refused_with_those_that_are(names):
    with pytest.raises(ValueError, match="is not a flag; the flags are FAULT, HOT, COSMIC, OUTER"):
        as_flag(names)


@pytest.mark.parametrize("names", [-1, 256, [1, 256], None, 1.5, [None], ["HOT", 2.0]])
def test_bits_that_mean_nothing_are_refused(names):
    with pytest.raises(ValueError, match="is not a combination of flags, which go from 0 to 255"):
        as_flag(names)


@pytest.mark.parametrize("names", [[np.uint8(2)], np.array([2, 4], "u1")])
def test_bits_may_be_numbers_of_numpy_in_a_list(names):
    assert as_flag(names) == sum(names)


def test_bits_may_be_one_number_of_numpy():
    assert as_flag(np.uint8(6)) == 6

import numpy as np
import pytest

from autowisp_xr.flags import Flag, as_flag


def test_the_bits_are_those_of_the_original():
    names = ["FAULT", "HOT", "COSMIC", "OUTER", "OVERSATURATED", "LEAKED", "INTERPOLATED"]
    assert {name: int(Flag[name]) for name in names} == {
        name: 2**bit for bit, name in enumerate(names)
    }
    assert Flag.NAN is Flag.FAULT
    assert Flag.SATURATED == Flag.OVERSATURATED | Flag.LEAKED == 48
    assert Flag.BAD == Flag.ALL == sum(2**bit for bit in range(7))


@pytest.mark.parametrize(
    ("given", "bits"),
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
        (Flag.HOT | Flag.OUTER, 10),
        ([], 0),
        ([Flag.HOT, 64], 66),
    ],
)
def test_flags_are_given_in_many_ways(given, bits):
    assert as_flag(given) == bits
    assert isinstance(as_flag(given), Flag)


@pytest.mark.parametrize("given", ["WARM", "HOT COSMIC", "HOT,", "", ["HOT", "warm"]])
def test_a_name_that_is_no_flag_is_refused_with_those_that_are(given):
    with pytest.raises(ValueError, match="is not a flag; the flags are FAULT, HOT, COSMIC, OUTER"):
        as_flag(given)


@pytest.mark.parametrize("given", [-1, 128, [1, 256]])
def test_bits_that_mean_nothing_are_refused(given):
    with pytest.raises(ValueError, match="is not a combination of flags, which go from 0 to 127"):
        as_flag(given)


@pytest.mark.parametrize("given", [[np.uint8(2)], np.array([2, 4], "u1")])
def test_bits_may_be_numbers_of_numpy_in_a_list(given):
    assert as_flag(given) == sum(given)


def test_bits_may_be_one_number_of_numpy():
    assert as_flag(np.uint8(6)) == 6

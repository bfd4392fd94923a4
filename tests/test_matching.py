"""The judge of what goes together: each trait by a table, and all who ask it agree."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import matching
from autowisp_xr.errors import SchemaError
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import ALLOWABLE, Matching, reason_against
from autowisp_xr.matching.traits import Traits
from autowisp_xr.night.choosing import Candidate, choose
from autowisp_xr.regions import ChannelSlice, Region
from tests.steps.frames import frame_set, master

NAN = math.nan
TWO = (("R", ChannelSlice(x_step=2)), ("G", ChannelSlice(x_offset=1, x_step=2)))

TABLE = {
    # trait: value, others that fit it, one that does not
    "camera": ("ZWO ASI294MC Pro", ["zwo asi294mc  pro"], "ZWO ASI183"),
    "detector": ("e2v 42-40", [], "e2v 47-10"),
    "size": ((4, 6), [], (4, 7)),
    "area": (Region(xmin=0, xmax=6, ymin=0, ymax=4), [], Region(xmin=1, xmax=6, ymin=0, ymax=4)),
    "window": ("[1:6,1:4]", ["[1:5,1:4]"], "[501:506,1:4]"),
    "binning": ("1x1", [], "2x2"),
    "orientation": ("TOP-DOWN", ["top-down"], "BOTTOM-UP"),
    "channels": (TWO, [], TWO[:1]),
    "pixel_type": ("16-bit integers", ["floats", "32-bit integers"], "8-bit integers"),
    "gain_setting": (100.0, [], 200.0),
    "egain": (1.5, [1.52], 3.0),
    "readout_mode": ("High Gain", [], "Low Noise"),
    "readout_speed": ("1 MHz", ["1MHz"], "5 MHz"),
    "offset": (10.0, [], 50.0),
    "coadds": (1.0, [], 4.0),
    "filter": ("V", [], "R"),
    "temperature": (-10.0, [-8.0, -12.0], -7.9),
    "exposure": ((60.0, 60.0), [(60.5, 60.5)], (61.0, 61.0)),
    "unit": ("adu", [], "electron"),
}
UNKNOWN = {"temperature": NAN, "egain": NAN, "gain_setting": NAN, "offset": NAN, "coadds": NAN}
UNKNOWN |= {"exposure": (NAN, NAN), "size": None, "area": None, "channels": None}


def dark(**traits):
    return Traits(kind="dark", **traits)


@pytest.mark.parametrize("name", TABLE)
def test_each_trait_fits_differs_or_is_not_known(name):
    value, alike, other = TABLE[name]
    unknown = UNKNOWN.get(name, "")
    for own in (value, *alike, unknown):
        assert reason_against(dark(**{name: value}), dark(**{name: own}), names=[name]) is None
        assert reason_against(dark(**{name: own}), dark(**{name: value}), names=[name]) is None
    assert reason_against(dark(**{name: unknown}), dark(**{name: unknown}), names=[name]) is None
    found = reason_against(dark(**{name: value}), dark(**{name: other}), names=[name])
    assert found.trait == name
    back = reason_against(dark(**{name: other}), dark(**{name: value}), names=[name])
    assert back.trait == name
    assert str(found) != str(back)
    if name in ALLOWABLE:
        allowing = Matching(allow_mismatch=name)
        wanted, own = dark(**{name: value}), dark(**{name: other})
        assert reason_against(wanted, own, allowing, [name]) is None


def test_the_table_has_every_trait_that_counts_for_any_kind():
    counted = {name for kind in KINDS.values() for name in (*kind.alike, *kind.serves)}
    assert counted - {"night"} == set(TABLE)


def test_traits_that_are_unknown_are_the_same():
    one, other = Traits.of({"gain_setting": NAN}), Traits.of({"temperature": np.float32("nan")})
    assert one == other
    assert len({one, other}) == 1
    assert one != replace(other, temperature=-10.0)
    assert one != "dark"


def test_the_reason_names_the_card_and_both_values():
    wanted = dark(offset=50.0)
    own = dark(offset=10.0, cards={"offset": "BLKLEVEL"})
    assert str(reason_against(wanted, own)) == "of the offset 10 (BLKLEVEL), not 50"


def test_egain_does_not_count_where_the_gain_setting_agrees():
    """Programs write it for 12, 14 or 16 bits of the same camera at the same setting."""
    one, other = dark(egain=3.99, gain_setting=120.0), dark(egain=1.0022, gain_setting=120.0)
    assert reason_against(one, other) is None
    unknown = replace(other, gain_setting=NAN)
    assert str(reason_against(one, unknown)) == "of 1.0022 electrons per ADU, not 3.99"


def test_a_card_that_a_user_names_is_a_trait():
    one, other = dark(others=(("SHUTTER", "A"),)), dark(others=(("SHUTTER", "B"),))
    assert str(reason_against(one, other)) == "of SHUTTER = B, not A"
    assert reason_against(one, dark(others=(("SHUTTER", ""),))) is None


values = {
    name: st.sampled_from([value, *alike, other, UNKNOWN.get(name, "")])
    for name, (value, alike, other) in TABLE.items()
}
any_traits = st.builds(Traits, kind=st.just("dark"), **values)


@given(any_traits, any_traits)
def test_the_judge_is_symmetric(one, other):
    there, back = reason_against(one, other), reason_against(other, one)
    assert (there is None) == (back is None)
    if there and back:
        assert there.trait == back.trait


coordinates = {
    name: values[name]
    for name in ("camera", "window", "binning", "orientation", "gain_setting", "offset")
} | {"temperature": values["temperature"], "egain": values["egain"]}


@given(st.fixed_dictionaries(coordinates), st.fixed_dictionaries(coordinates))
def test_night_verb_stack_and_judge_agree_on_every_pair(one, other):
    wanted, own = Traits(kind="bias", **one), Traits(kind="bias", **other)
    verdict = reason_against(wanted, own) is None
    candidate = Candidate(name="bias", traits=own)
    assert (choose(wanted, [candidate], Matching()).chosen is not None) == verdict

    frames = frame_set([3.0]).assign_coords({k: ("frame", [v]) for k, v in one.items()})
    bias = master([1.0]).assign_coords(other)
    assert _passes(lambda: aw.subtract_bias(frames, bias)) == verdict

    pair = frame_set(np.ones((2, 1, 1, 1)), kind="bias").assign_coords(
        {k: ("frame", [one[k], other[k]]) for k in one}
    )
    assert _passes(lambda: aw.stack(pair)) == verdict


def _passes(call):
    try:
        call()
    except (aw.MasterMismatchError, aw.ImageMismatchError):
        return False
    return True


def test_what_may_differ_is_named_by_its_trait_or_its_old_name():
    assert Matching(allow_mismatch=("gain", "subframe")).allow_mismatch == {
        "gain_setting",
        "window",
    }
    with pytest.raises(ValueError, match=r"no mismatch of size can be allowed.*binning, camera"):
        Matching(allow_mismatch="size")


def test_flats_of_another_filter_are_refused_and_of_another_offset_are_not():
    frames, flat = Traits(kind="object", filter="V", offset=50.0), Traits(kind="flat", filter="R")
    assert reason_against(frames, flat).trait == "filter"
    assert reason_against(frames, replace(flat, filter="V", offset=10.0)) is None
    assert np.isnat(frames.time)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (60.0, 60.0, True),
        (300.0, 300.2, True),  # shutters are not exact
        (60.0, 61.0, False),
        (0.0, 0.0, True),
        (0.0, 0.1, False),
        (float("nan"), 1.0, False),
    ],
)
def test_exposures_agree_within_one_percent(one, other, same):
    assert matching.same_exposure(one, other) == same


@pytest.mark.parametrize(
    ("exposures", "dark", "options", "holds_bias", "expected"),
    [
        ([60.0, 60.3], 60.0, {"scale_dark": False}, True, None),  # it has their exposure
        ([60.0, 30.0], 60.0, {"scale_dark": False}, False, ("not asked", [False, True])),
        ([60.0, 30.0], 60.0, {"scale_dark": False, "allow_mismatch": "exposure"}, False, None),
        ([60.0, 30.0], 60.0, {}, False, None),
        ([60.0, 30.0], 60.0, {}, True, ("holds bias", [False, True])),
        ([60.3, 30.0], 60.0, {}, False, None),  # no longer than shutters are exact
        ([90.0, 30.0], 60.0, {}, True, ("scaled up", [True, False])),
        ([90.0, 30.0], 60.0, {"scale_dark": "any"}, False, None),
        ([90.0, 30.0], 60.0, {"scale_dark": "any", "exposure": 0.6}, True, None),
        ([float("nan"), 30.0], 60.0, {}, False, ("unknown", [True, False])),
        ([60.0, 30.0], 0.0, {"scale_dark": "any"}, False, ("unknown", [True, True])),
        ([float("nan"), 60.0], 60.0, {"scale_dark": False}, False, None),
    ],
)
def test_a_dark_is_scaled_only_as_asked_and_without_bias(
    exposures, dark, options, holds_bias, expected
):
    matching_ = Matching(**options)
    found = matching.reason_against_scaling(exposures, dark, matching_, holds_bias=holds_bias)
    assert (found and (found[0], found[1].tolist())) == expected


@pytest.mark.parametrize("given", [None, 3, ["gain", 3]])
def test_what_is_no_name_of_a_trait_is_refused(given):
    with pytest.raises(ValueError, match="allow_mismatch names traits"):
        Matching(allow_mismatch=given)


@pytest.mark.parametrize("value", ["cold", np.timedelta64(60, "s")])
def test_a_coordinate_that_is_no_number_is_refused_by_its_name(value):
    with pytest.raises(SchemaError, match="'temperature' is a number"):
        Traits.of({"temperature": value})


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_text_that_a_table_leaves_out_is_not_known(value):
    assert Traits.of({"filter": value, "temperature": value}).known(("filter", "temperature")) == []

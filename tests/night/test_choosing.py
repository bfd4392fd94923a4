from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import Matching
from autowisp_xr.matching.traits import Traits
from autowisp_xr.night.choosing import Candidate, Judge, choose
from autowisp_xr.night.plan import stop_reason
from autowisp_xr.regions import ChannelSlice, Region

WHOLE = Region(xmin=0, xmax=6, ymin=0, ymax=4)
MONO = (("mono", ChannelSlice()),)
SETUP = {"size": (4, 6), "area": WHOLE, "channels": MONO}
NIGHT = np.datetime64("2024-03-01T03:00", "ns")


def traits(
    kind="object", exposure=60.0, band="V", temperature=-10.0, hours=0.0, longest=None, **setup
):
    return Traits(
        kind=kind,
        **{**SETUP, **setup},
        filter="" if kind in ("bias", "dark") else band,
        exposure=(exposure, longest or exposure),
        temperature=temperature,
        time=NIGHT + np.timedelta64(round(3600 * hours), "s"),
    )


def master(name, kind="dark", frames=10, own=True, holds_bias=False, failure="", **given):
    if kind == "bias":
        given = {"exposure": 0.0, **given}
    return Candidate(
        name=name,
        traits=traits(kind, holds_bias=holds_bias if kind == "dark" else None, **given),
        frames=frames,
        own=own,
        failure=failure,
    )


BIAS = master("bias", "bias")


def chosen(candidates, wanted=None, **matching):
    choice = choose(wanted or traits(), candidates, Matching(**matching), has_bias=True)
    return choice.chosen.name if choice.chosen else None


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (master("x", size=(8, 6)), "of 6 x 8 pixels, not 6 x 4"),
        (
            master("x", size=None, area=Region(xmin=1, xmax=6, ymin=0, ymax=4)),
            "covers the raw pixels 1 < x < 6, 0 < y < 4, not 0 < x < 6, 0 < y < 4",
        ),
        (
            master("x", channels=(("R", ChannelSlice()), ("G", ChannelSlice()))),
            "of the channels R G, not mono",
        ),
        (master("x", binning="2x2"), "of binning 2x2, not 1x1"),
        (master("x", camera="other"), "of the camera other, not mine"),
        (master("x", gain_setting=100.0), "of the gain setting 100, not 0"),
        (
            master("x", window="[6:11,1:4]"),
            "of the window [6:11,1:4] of the sensor, not [1:6,1:4]",
        ),
        (master("x", offset=10.0), "of the offset 10, not 50"),
        (master("x", readout_mode="fast"), "of the readout mode fast, not slow"),
        (master("x", orientation="BOTTOM-UP"), "of pixels stored BOTTOM-UP, not TOP-DOWN"),
        (master("x", coadds=4.0), "of 4 exposures in one, not 1"),
        (master("x", pixel_type="8-bit integers"), "of 8-bit integers, not 16-bit integers"),
        (master("x", temperature=-12.1), "at -12.1 C, not -10.0 C"),
        (master("x", exposure=59.0), "exposed 59 s, not 60 s"),
        (
            master("x", holds_bias=None),
            "it is not stated whether its bias was subtracted; if it was, put CALSTAT = 'B' into "
            "its header, if not, ZEROCOR = 'no'",
        ),
        (master("x", failure="disk full"), "could not be made: disk full"),
        (master("x", "flat", band="R"), "of the filter R, not V"),
        (master("x", "bias", temperature=-7.9), "at -7.9 C, not -10.0 C"),
    ],
)
def test_each_candidate_that_is_not_chosen_has_its_reason(other, reason):
    wanted = traits(
        binning="1x1",
        camera="mine",
        gain_setting=0.0,
        window="[1:6,1:4]",
        offset=50.0,
        readout_mode="slow",
        orientation="TOP-DOWN",
        coadds=1.0,
        pixel_type="16-bit integers",
    )
    choice = choose(wanted, [other], Matching(scale_dark=False), has_bias=True)
    assert choice.chosen is None
    assert choice.why_not == {"x": reason}


@pytest.mark.parametrize(
    "other",
    [
        master("x", temperature=-12.0),
        master("x", temperature=float("nan")),
        master("x", exposure=60.5),
        master("x", exposure=float("nan")),
        master("x", camera="M I N E"),
        master("x", size=None, area=WHOLE),
        master("x", size=None, placed=False, area=Region(xmin=9, xmax=15, ymin=9, ymax=13)),
        master("x", "flat", temperature=20.0, exposure=3.0),
        master("x", "flat", band=""),
        master("x", "bias"),
    ],
)
def test_what_is_within_the_tolerances_or_unknown_is_chosen(other):
    assert chosen([other], traits(binning="1x1", camera="mine", gain_setting=0.0)) == "x"


def test_areas_may_differ_by_an_incomplete_super_pixel():
    bayer = tuple(
        (name, ChannelSlice(y_offset=y, y_step=2, x_offset=x, x_step=2))
        for name, y, x in (("R", 0, 0), ("G1", 0, 1), ("G2", 1, 0), ("B", 1, 1))
    )
    odd = traits(channels=bayer, size=(5, 7), area=Region(xmin=0, xmax=7, ymin=0, ymax=5))
    even = master("x", "flat", channels=bayer, size=None, area=WHOLE)
    assert chosen([even], odd) == "x"
    short = Region(xmin=0, xmax=4, ymin=0, ymax=4)
    assert chosen([master("x", "flat", channels=bayer, size=None, area=short)], odd) is None


@pytest.mark.parametrize(
    ("better", "worse", "matching", "why"),
    [
        ({}, {"own": False}, {}, "is of this night"),
        ({}, {"holds_bias": True}, {}, "is free of the bias"),
        ({"own": False}, {"exposure": 120.0}, {"scale_dark": "any"}, "needs no scaling"),
        ({"temperature": -10.5}, {"temperature": -11.5}, {}, "is nearer in temperature"),
        ({"temperature": -11.9}, {"temperature": float("nan")}, {}, "is known to fit"),
        ({"hours": 1}, {"hours": -2}, {}, "is nearer in time"),
        ({"own": False, "hours": 1}, {"own": False, "hours": -2}, {}, "is nearer in time"),
        ({"own": False, "hours": -2}, {"own": False, "hours": 1}, {"prefer": "older"}, "is older"),
        (
            {"own": False, "hours": -2},
            {"own": False, "hours": -9},
            {"prefer": "older"},
            "is nearer in time",
        ),
        # least noise: (60/120)^2/10 against (60/90)^2/10 and (60/120)^2/3
        ({"exposure": 120.0}, {"exposure": 90.0}, {"scale_dark": "down"}, "adds less noise"),
        (
            {"exposure": 120.0},
            {"exposure": 120.0, "frames": 3},
            {"scale_dark": "down"},
            "adds less noise",
        ),
        ({"exposure": 90.0}, {"exposure": 30.0}, {"scale_dark": "any"}, "adds less noise"),
        ({"exposure": 30.0}, {"exposure": 20.0}, {"scale_dark": "any"}, "adds less noise"),
    ],
)
def test_of_two_that_fit_the_better_is_chosen_in_either_order(better, worse, matching, why):
    pair = [master("better", **better), master("worse", **worse)]
    for candidates in (pair, pair[::-1]):
        choice = choose(traits(), candidates, Matching(**matching), has_bias=True)
        assert choice.chosen.name == "better"
        assert choice.why_not == {"worse": f"fits too, but better {why}"}


@pytest.mark.parametrize(
    ("exposure", "scale_dark", "fits"),
    [
        (120.0, False, False),
        (120.0, "down", True),
        (30.0, "down", False),
        (30.0, "any", True),
        (0.0, "any", False),
        (60.3, "down", True),
    ],
)
def test_darks_are_scaled_only_as_far_as_is_allowed(exposure, scale_dark, fits):
    dark = master("x", exposure=exposure)
    choice = choose(traits(), [dark], Matching(scale_dark=scale_dark), has_bias=True)
    assert (choice.chosen is not None) == fits
    assert choice.scaled == (fits and exposure != 60.3)


def test_a_dark_that_holds_the_bias_is_never_scaled():
    dark = master("x", exposure=120.0, holds_bias=True)
    choice = choose(traits(), [dark], Matching(scale_dark="any"), has_bias=False)
    assert choice.why_not == {
        "x": "exposed 120 s, not 60 s, and it holds the bias, which does not grow with exposure"
    }


def test_a_dark_for_flats_has_to_fit_the_shortest_and_the_longest():
    flats = traits("flat", exposure=5.0, longest=7.0)
    unscaled = Matching(scale_dark=False)
    reasons = choose(flats, [master("x", exposure=5.0)], unscaled, has_bias=True).why_not
    assert reasons == {"x": "exposed 5 s, not 5 to 7 s"}
    down = Matching(scale_dark="down")
    six, seven = (master("x", exposure=seconds) for seconds in (6.0, 7.0))
    assert choose(flats, [six], down, has_bias=True).chosen is None
    assert choose(flats, [seven], down, has_bias=True).scaled


@pytest.mark.parametrize(
    ("ignore", "other"),
    [
        ("camera", {"camera": "other"}),
        ("binning", {"binning": "2x2"}),
        ("gain", {"gain_setting": 100.0}),
        ("temperature", {"temperature": 30.0}),
        ("filter", {"kind": "flat", "band": "R"}),
    ],
)
def test_what_may_differ_can_be_named(ignore, other):
    wanted = traits(binning="1x1", camera="mine", gain_setting=0.0)
    assert chosen([master("x", **other)], wanted) is None
    assert chosen([master("x", **other)], wanted, allow_mismatch=(ignore,)) == "x"
    assert chosen([master("x", **other)], wanted, allow_mismatch=ignore) == "x"


def test_tolerances_can_be_chosen():
    assert chosen([master("x", temperature=-5.0)], temperature=5) == "x"
    assert chosen([master("x", exposure=63.0)], exposure=0.05) == "x"
    assert Matching(exposure=0.05, allow_mismatch="gain").judged == {"exposure", "gain_setting"}


def test_a_dark_goes_with_the_bias():
    """With a bias, a dark that is free of it; without one, a dark that holds it."""
    free, full = master("free"), master("full", holds_bias=True)
    with_bias = Judge(Matching()).match(traits(), [BIAS, free, full])
    assert [with_bias[kind].chosen.name for kind in ("bias", "dark")] == ["bias", "free"]
    # a dark that holds the bias is freed of it
    assert Judge(Matching()).match(traits(), [BIAS, full])["dark"].chosen is full
    without = Judge(Matching()).match(traits(), [free, full])
    assert without["bias"].chosen is None
    assert without["dark"].chosen.name == "full"
    assert without["dark"].why_not == {
        "free": "its bias was subtracted, and no bias fits the frames"
    }


def test_a_failed_master_is_named_and_another_takes_its_place():
    failed = master("failed", failure="no pixel is good")
    choice = choose(traits(), [failed], Matching(), has_bias=True)
    assert choice.chosen is None
    assert choice.refused["failed"].near
    assert stop_reason("flat", {"dark": choice}, Matching()) == "their master failed failed"
    other = master("other", own=False)
    assert choose(traits(), [failed, other], Matching(), has_bias=True).chosen is other


def test_a_scale_that_was_lost_is_not_to_be_allowed_for():
    wanted, whole = traits(pixel_type="floats from 0 to 1"), {"pixel_type": "16-bit integers"}
    choice = choose(wanted, [master("x", **whole)], Matching(), has_bias=True)
    reason = stop_reason("object", {"dark": choice}, Matching())
    assert "multiply the pixels that lie from 0 to 1 by 65535" in reason
    assert "--allow-mismatch" not in reason
    choice = choose(traits(pixel_type="8-bit integers"), [master("x", **whole)], Matching())
    reason = stop_reason("object", {"dark": choice}, Matching())
    assert reason.endswith("--allow-mismatch pixel_type if that does not matter")


def test_darks_of_another_setup_are_not_near():
    choice = choose(traits(), [master("x", size=(8, 6))], Matching(), has_bias=True)
    assert not choice.refused["x"].near
    assert stop_reason("object", {"dark": choice}, Matching()) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1.0},
        {"exposure": float("nan")},
        {"temperature": "2"},
        {"scale_dark": "up"},
        {"scale_dark": True},
        {"prefer": "newest"},
        {"allow_mismatch": ("size",)},
        {"group_by": "week"},
    ],
)
def test_a_matching_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)) + "|allowed|grouped"):
        Matching(**wrong)


numbers = st.floats(-20, 20) | st.just(float("nan"))
any_traits = {
    "exposure": st.sampled_from([30.0, 60.0, 60.3, 120.0]) | st.just(float("nan")),
    "temperature": numbers,
    "hours": st.floats(-1000, 1000),
    "gain_setting": st.sampled_from([float("nan"), 0.0, 100.0]),
    "binning": st.sampled_from(["", "1x1", "2x2"]),
}
candidates = st.lists(
    st.builds(
        lambda kind, own, holds_bias, failure, frames, more: master(
            "", kind, frames, own, holds_bias, failure, **more
        ),
        st.sampled_from(["bias", "dark", "flat"]),
        st.booleans(),
        st.sampled_from([None, True, False]),
        st.sampled_from(["", "", "failed"]),
        st.integers(1, 50),
        st.fixed_dictionaries(any_traits),
    ),
    max_size=8,
)
matchings = st.builds(
    Matching,
    temperature=st.floats(0, 10),
    exposure=st.floats(0, 1),
    scale_dark=st.sampled_from([False, "down", "any"]),
    prefer=st.sampled_from(["nearest", "older"]),
)


@given(
    st.sampled_from(["bias", "dark", "flat", "object"]),
    st.fixed_dictionaries(any_traits),
    candidates,
    matchings,
    st.randoms(use_true_random=False),
)
def test_every_candidate_is_chosen_or_has_a_reason_whatever_their_order(
    kind, more, found, matching, random
):
    found = [replace(candidate, name=str(number)) for number, candidate in enumerate(found)]
    wanted = traits(kind, **more)
    choices = Judge(matching).match(wanted, found)
    assert tuple(choices) == KINDS[kind].needs
    shuffled = random.sample(found, len(found))
    for needed, choice in choices.items():
        names = {candidate.name for candidate in found if candidate.traits.kind == needed}
        won = {choice.chosen.name} if choice.chosen else set()
        assert won | set(choice.why_not) == names
        assert not won & set(choice.why_not)
        assert all(choice.why_not.values())
        if choice.chosen:
            assert not choice.chosen.failure
        again = Judge(matching).match(wanted, shuffled)[needed]
        assert again.chosen is choice.chosen


def undecided(wanted, *candidates, **matching):
    choice = choose(wanted, candidates, Matching(**matching), has_bias=True)
    assert choice.chosen.name == candidates[0].name
    return [str(one.mismatch) for one in choice.undecided], choice.unstated


def test_masters_that_differ_in_what_a_frame_does_not_state_leave_a_doubt():
    low, high = master("a", gain_setting=0.0), master("b", gain_setting=100.0)
    assert undecided(traits(), low, high) == (["of the gain setting 100, not 0"], ())
    # by what is known, or with one alone, nothing is left to doubt
    assert undecided(traits(gain_setting=0.0), low, high) == ([], ())
    assert undecided(traits(), low) == ([], ("gain_setting",))
    assert undecided(traits(), low, master("b", gain_setting=0.0)) == ([], ("gain_setting",))
    assert undecided(traits(), low, high, allow_mismatch="gain_setting") == ([], ())


def test_what_goes_before_masters_that_differ_leaves_no_doubt():
    own = master("b", camera="mine", hours=5.0)
    assert undecided(traits(), own, master("a", camera="other", own=False)) == ([], ("camera",))
    # but a bias in a dark, or the hour, are nothing by which its camera is known
    held = master("a", camera="other", holds_bias=True)
    assert undecided(traits(), own, held)[0] == ["of the camera other, not mine"]


def test_darks_of_two_temperatures_leave_a_doubt_for_lights_of_none():
    cold, warm = master("a"), master("b", temperature=5.0)
    assert undecided(traits(temperature=np.nan), cold, warm)[0] == ["at 5.0 C, not -10.0 C"]
    near = master("b", temperature=-9.0)
    assert undecided(traits(temperature=np.nan), cold, near)[0] == []

import re
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import frames
from autowisp_xr.frames import FileRecord
from autowisp_xr.matching import Matching
from autowisp_xr.night import sort_frames
from autowisp_xr.night.set_names import names_for

NAN = float("nan")


def record(
    path,
    kind,
    exposure=10.0,
    band="",
    gain=NAN,
    shape=(4, 6),
    temperature=NAN,
    binning="",
    facts=None,
    **more,
):
    """A record as scan would give it, with only what grouping looks at."""
    plane = SimpleNamespace(height=shape[0], width=shape[1])
    layout = SimpleNamespace(planes={"image": plane}, history="", header="")
    coordinates = {
        "image_type": kind,
        "exposure": exposure,
        "filter": band,
        "gain_setting": gain,
        "temperature": temperature,
        "binning": binning,
        "time": np.datetime64("2024-03-01T03:00", "ns"),
        **more,
    }
    return FileRecord(path=path, layout=layout, coordinates=coordinates, facts=facts or {})


def paths(found):
    return {one.path: [member.path for member in one.records] for one in found}


def test_frames_are_grouped_by_type_filter_and_exposure():
    records = [
        record("b", "bias", 0.0),
        record("d1", "dark", 60.0),
        record("d2", "dark", 60.3),
        record("d3", "dark", 30.0),
        record("f1", "flat", 5.0, "V"),
        record("f2", "flat", 7.0, "V"),
        record("f3", "flat", 5.0, "R"),
        record("o1", "object", 60.0, "V"),
        record("o2", "object", 60.0, "R"),
        record("o3", "object", 30.0, "V"),
    ]
    found, left_out, _ = sort_frames(records)
    assert left_out == {}
    assert paths(found) == {
        "bias": ["b"],
        "dark_60s": ["d1", "d2"],
        "dark_30s": ["d3"],
        "flat_V": ["f1", "f2"],
        "flat_R": ["f3"],
        "V_60s": ["o1"],
        "R_60s": ["o2"],
        "V_30s": ["o3"],
    }
    assert [one.traits.exposure for one in found[1:4]] == [(60.15, 60.15), (30, 30), (5, 7)]


@pytest.mark.parametrize(
    ("bands", "pairs"),
    [
        (("r", "R", "V"), ["R and r"]),
        (("Red", "red", "r", "r "), []),
        (("i", "R", "I"), ["I and i"]),
    ],
)
def test_filters_of_one_letter_of_both_cases_are_a_doubt(bands, pairs):
    records = [record(f"o{i}", "object", 60.0, band) for i, band in enumerate(bands)]
    notes = sort_frames(records).notes
    assert [note.partition(" differ")[0] for note in notes] == [
        f"DOUBT: the filters {pair}" for pair in pairs
    ]
    assert sort_frames(records, matching=Matching(keywords=("FILTER",))).notes == []


def test_names_that_matching_takes_for_one_are_one_set():
    bands = ["SDSS g'", "sdss g'", "SDSS  g'", "r"]
    records = [record(f"f{i}", "flat", 5.0, band) for i, band in enumerate(bands)]
    targets = [record(t, "object", 60.0, "r", object=t) for t in ("M 31", "m31", "M33")]
    found, _, _ = sort_frames(records + targets, matching=Matching(group_by=("target",)))
    assert paths(found) == {
        "flat_SDSS-g": ["f0", "f1", "f2"],
        "flat_r": ["f3"],
        "r_60s_M-31": ["M 31", "m31"],
        "r_60s_M33": ["M33"],
    }
    assert [one.traits.filter for one in found[:2]] == ["SDSS g'", "r"]


def test_biases_and_darks_are_grouped_by_temperature_flats_and_science_are_not():
    degrees = (-5.2, -9.8, -4.8, -10.4, NAN)
    records = [
        record(f"{kind}{value}", kind, temperature=value)
        for kind in ("bias", "dark", "flat", "object")
        for value in degrees
    ]
    found, *_ = sort_frames(records)
    assert paths(found) == {
        "bias_-5C": ["bias-5.2", "bias-4.8"],
        "bias_-10C": ["bias-9.8", "bias-10.4"],
        "bias": ["biasnan"],
        "dark_10s_-5C": ["dark-5.2", "dark-4.8"],
        "dark_10s_-10C": ["dark-9.8", "dark-10.4"],
        "dark_10s": ["darknan"],
        "flat": [f"flat{value}" for value in degrees],
        "10s": [f"object{value}" for value in degrees],
    }
    assert len(sort_frames(records, matching=Matching(temperature=6))[0]) == 6
    assert len(sort_frames(records, matching=Matching(allow_mismatch="temperature"))[0]) == 4


@given(st.lists(st.floats(-40, 40) | st.just(NAN), min_size=1, max_size=30), st.floats(0, 10))
def test_a_set_spans_no_more_than_the_tolerance(degrees, tolerance):
    records = [
        record(str(i), "bias", temperature=value, gain=float(i % 2))
        for i, value in enumerate(degrees)
    ]
    found, left_out, _ = sort_frames(records, matching=Matching(temperature=tolerance))
    members = sorted(int(path) for group in paths(found).values() for path in group)
    assert (members, left_out) == (list(range(len(degrees))), {})
    assert len({one.path.lower() for one in found}) == len(found)
    for one in found:
        values = [member.coordinates["temperature"] for member in one.records]
        assert np.isnan(values).all() or np.ptp(values) <= tolerance


def test_a_frame_of_a_warm_camera_leaves_the_others_together():
    degrees = (-12.0, -10.06, -10.0, -9.98, -9.96)
    found, *_ = sort_frames([record(str(t), "bias", temperature=t) for t in degrees])
    assert [len(one.records) for one in found] == [1, 4]


def test_darks_whose_exposures_differ_by_more_than_the_tolerance_are_apart():
    darks = [record(str(t), "dark", t) for t in (60.0, 60.3, 61.0)]
    assert len(sort_frames(darks)[0]) == 2
    assert len(sort_frames(darks, matching=Matching(exposure=0.001))[0]) == 3
    # more than 1 % is never averaged
    assert len(sort_frames(darks, matching=Matching(exposure=0.5))[0]) == 2


def test_sizes_channels_and_settings_are_kept_apart():
    records = [
        record("a", "bias"),
        record("b", "bias", shape=(8, 6)),
        record("c", "bias", gain=100.0),
        record("d", "bias", facts={"channels": "RGGB"}, camera="of colour"),
        record("e", "bias", binning="2x2"),
        record("f", "bias", camera="ASI 294"),
        record("g", "bias", window="[4:9,5:8]"),
        record("h", "bias", facts={"image_area": {"xmin": 1, "xmax": 6, "ymin": 0, "ymax": 4}}),
    ]
    found, *_ = sort_frames(records)
    assert [one.place for one in found] == [
        "6x4",
        "6x8",
        "6x4-gain100",
        "6x4-RGGB-of-colour",
        "6x4-bin2x2",
        "6x4-ASI-294",
        "6x4-2",
        "6x4-3",
    ]
    assert {one.name for one in found} == {"bias"}


def colours(kind, pattern, number):
    facts = {"channels": pattern} if pattern else {}
    return [record(f"{kind}-{pattern}-{i}", kind, facts=facts) for i in range(number)]


@pytest.mark.parametrize(
    ("records", "pattern", "line"),
    [
        # as with a program for lights that states it, and another one for darks
        (
            colours("object", "RGGB", 2) + colours("dark", "", 9),
            "R G1 G2 B",
            "9 frames do not state a Bayer pattern (BAYERPAT), others of their camera",
        ),
        (
            colours("object", "RGGB", 1) + colours("object", "", 4) + colours("dark", "", 3),
            "R G1 G2 B",
            "DOUBT: 7 frames do not state a Bayer pattern (BAYERPAT), few of their camera, size "
            "and kind state R G1 G2 B (object-RGGB-0): it is taken for all. --channels mono",
        ),
        (
            colours("dark", "RGGB", 5) + colours("object", "GRBG", 1) + colours("object", "", 2),
            "R G1 G2 B",
            "not agree: R G1 G2 B (dark-RGGB-0, dark-RGGB-1, dark-RGGB-2 and 2 more) is taken for "
            "them, since most state it, and not G1 R B G2 (object-GRBG-0). --channels RGGB",
        ),
    ],
)
def test_a_pattern_that_frames_lack_is_that_of_most_and_doubted_where_few_state_it(
    records, pattern, line
):
    found, _, notes = sort_frames(records)
    of_file = {
        member.path: " ".join(name for name, _ in one.traits.channels)
        for one in found
        for member in one.records
    }
    assert {of_file[r.path] for r in records if not r.facts} == {pattern}
    assert of_file.get("object-GRBG-0", "G1 R B G2") == "G1 R B G2"
    assert len(notes) == 1
    assert line in notes[0]


def test_what_the_user_states_of_the_camera_goes_before_the_headers():
    camera = aw.Camera(channels="GBRG", image_area="[2:5,1:4]")
    (one,), *_ = sort_frames([record("d", "bias", facts={"channels": "RGGB"})], camera)
    assert dict(one.traits.channels) == camera.channels
    assert one.traits.area == camera.image_area


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record("x", "other"), "neither a card"),
        (record("x", "dark", NAN), "exposure is not known"),
        (record("x", "object", NAN), "exposure is not known"),
        (FileRecord(path="x", error=OSError("x: too short")), "too short"),
    ],
)
def test_what_takes_no_part_has_a_reason(bad, reason):
    found, left_out, _ = sort_frames([bad, record("good", "bias")])
    assert paths(found) == {"bias": ["good"]}
    assert reason in left_out["x"]


def test_a_flat_without_exposure_among_others_that_state_theirs_is_left_out():
    good = [record(name, "flat", 5.0) for name in "ab"]
    found, left_out, _ = sort_frames([*good, record("x", "flat", NAN)])
    assert [path for of in paths(found).values() for path in of] == ["a", "b"]
    assert "flat frame whose exposure is not known" in left_out["x"]
    # of a camera that states none, they are its way
    found, left_out, _ = sort_frames([record(name, "flat", NAN) for name in "abc"])
    assert left_out == {}


def test_masters_and_products_are_not_inputs(sky, write_night):
    folder = write_night(sky.bias(2))
    bias = aw.master_bias(sky.bias(3))
    aw.to_fits(bias, folder / "stacked.fits")
    science = aw.calibrate(sky.objects(1), bias=bias)
    aw.to_fits(science, folder / "product.fits")
    light = aw.to_fits(sky.objects(1), folder / "live.fits")[0]
    fits.setval(light, "STACKCNT", value=9)
    (one,), left_out, _ = sort_frames(frames.scan(folder))
    assert len(one.records) == 2
    reasons = {path.rpartition("/")[2]: reason for path, reason in left_out.items()}
    assert re.search("a master already .*--masters", reasons["stacked.fits"])
    assert reasons["live.fits"] == "a master already (STACKCNT = 9), not a raw frame"
    assert "calibrated already" in reasons["product.fits"]


def test_a_filter_cannot_lead_a_file_name_astray():
    names = names_for(["z", "Sloan g' (v2)", "../up", "/", "g", "g'", "G*", "g"])
    assert list(names.values()) == ["z", "Sloan-g-v2", "up", "unnamed", "g", "g-2", "G-3"]


def test_lights_without_a_type_are_reported_with_the_option_that_makes_them_lights(
    sky, write_night
):
    folder = write_night(sky.bias(2), sky.objects(2))
    for path in folder.glob("object*"):
        with fits.open(path, mode="update") as hdus:
            del hdus[0].header["IMAGETYP"]
        path.rename(path.with_name(path.name.replace("object", "m31_")))
    _, left_out, _ = sort_frames(frames.scan(folder))
    assert len(left_out) == 2
    assert all("--type 'IMAGETYP==object'" in reason for reason in left_out.values())
    found, left_out, _ = sort_frames(frames.scan(folder, types={"IMAGETYP=": "object"}))
    assert [one.traits.kind for one in found] == ["bias", "object"]
    assert left_out == {}


@pytest.mark.parametrize("setting", ["offset", "coadds", "pixel_type"])
def test_frames_without_light_whose_level_was_set_otherwise_are_kept_apart(setting):
    values = ("16-bit integers", "8-bit integers") if setting == "pixel_type" else (1.0, 4.0)
    kinds = ("bias", "dark")
    records = [record(f"{kind}{v}", kind, **{setting: v}) for kind in kinds for v in values]
    found, *_ = sort_frames(records)
    assert len(found) == len({one.place for one in found}) * 2 == 4

import json
import re
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr import CalibrationError, Camera, OutsideImageError
from autowisp_xr.regions import ChannelSlice, Region

FULL = {
    "channels": "RGGB",
    "gain": {"R": 2.0, "G1": 2.1, "G2": 2.1, "B": 2.2},
    "read_noise": 8.0,
    "saturation": 15000,
    "bias_level": 128.5,
    "image_area": "[9:1032,1:1024]",
    "overscan": ["[1:8,1:1024]", {"xmin": 1032, "xmax": 1040, "ymin": 0, "ymax": 1024}],
    "amplifiers": ["[1:520,1:1024]", "[521:1040,1:1024]"],
    "leak_directions": [(0, 1), (0, -1)],
    "name": "ours",
}


def test_a_camera_that_is_given_nothing_knows_nothing():
    camera = Camera()
    assert (camera.channels, camera.gain, camera.read_noise, camera.saturation) == (None,) * 4
    assert (camera.overscan, camera.leak_directions, camera.image_area) == ((), (), None)
    assert camera.amplifiers == ()
    assert camera.bias_level == 0.0


def test_what_is_given_in_many_spellings_is_one_camera():
    camera = Camera(**FULL)
    assert camera.image_area == Region(xmin=8, xmax=1032, ymin=0, ymax=1024)
    assert camera.overscan == (
        Region(xmin=0, xmax=8, ymin=0, ymax=1024),
        Region(xmin=1032, xmax=1040, ymin=0, ymax=1024),
    )
    assert camera.leak_directions == ((0, 1), (0, -1))
    other = {
        **FULL,
        "channels": {
            "R": (slice(0, None, 2), slice(0, None, 2)),
            "G1": np.s_[0::2, 1::2],
            "G2": {"y_offset": 1, "y_step": 2, "x_offset": 0, "x_step": 2},
            "B": ChannelSlice(y_offset=1, y_step=2, x_offset=1, x_step=2),
        },
        "image_area": camera.image_area,
        "overscan": camera.overscan,
    }
    assert Camera(**other) == camera


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        ("RGGB", {"R": (0, 0), "G1": (0, 1), "G2": (1, 0), "B": (1, 1)}),
        ("GRBG", {"G1": (0, 0), "R": (0, 1), "B": (1, 0), "G2": (1, 1)}),
        (" bggr ", {"B": (0, 0), "G1": (0, 1), "G2": (1, 0), "R": (1, 1)}),
    ],
)
def test_bayer_patterns_are_read_row_by_row(pattern, places):
    channels = Camera(channels=pattern).channels
    assert list(channels) == list(places)
    for name, (y, x) in places.items():
        assert channels[name] == ChannelSlice(y_offset=y, y_step=2, x_offset=x, x_step=2)


@pytest.mark.parametrize("pattern", ["RGB", "RGGG", "", "CMYG", "RGGBR"])
def test_what_is_no_bayer_pattern_is_refused(pattern):
    with pytest.raises(CalibrationError, match="is not a Bayer pattern"):
        Camera(channels=pattern)


def test_a_single_slice_stands_for_both_axes():
    assert Camera(channels={"a": slice(1, None, 2)}).channels["a"] == ChannelSlice(
        y_offset=1, y_step=2, x_offset=1, x_step=2
    )


@pytest.mark.parametrize(
    ("channels", "text"),
    [
        ({"a": 3}, "a channel is a pair of slices"),
        ({"a": (slice(0, None, 2),)}, "a channel is a pair of slices"),
        ({"a": (slice(0, 8, 2), slice(0, None, 2))}, "a channel goes to the end of the frame"),
        ({}, "channels is a pattern such as"),
        (4, "channels is a pattern such as"),
        ({"a": np.s_[2::2, 0::2]}, "an offset must be smaller than its step"),
        ({"a": np.s_[0.5::2, 0::2]}, "given in whole pixels, its y_offset is 0.5"),
        ({"a": {"z_step": 2}}, "a channel slice has no z_step"),
        ({"a": {"y_offset": 2, "y_step": 2}}, "an offset must be smaller than its step"),
        ({"a": np.s_[0::2, 0::2], "b": np.s_[0::1, 0::2]}, "must have the same steps"),
        ({"a": {"y_offset": -1, "y_step": 2}}, "steps start at 1 and offsets at 0"),
        ({"a": {"y_step": 0}}, "steps start at 1"),
    ],
)
def test_impossible_channels_are_refused(channels, text):
    with pytest.raises(CalibrationError, match=text):
        Camera(channels=channels)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"gain": 0}, "gain must be a finite number above 0, not 0"),
        ({"gain": -1.5}, "gain must be a finite number above 0, not -1.5"),
        ({"gain": float("nan")}, "gain must be a finite number above 0, not nan"),
        ({"gain": float("inf")}, "gain must be a finite number above 0, not inf"),
        ({"gain": "2.1"}, "gain must be a finite number above 0, not '2.1'"),
        ({"gain": True}, "gain must be a finite number above 0, not True"),
        ({"read_noise": -0.1}, "read_noise must be a finite number not below 0, not -0.1"),
        ({"read_noise": float("inf")}, "read_noise must be a finite number not below 0, not inf"),
        ({"saturation": float("nan")}, "saturation must be a finite number above 0, not nan"),
        ({"saturation": 0}, "saturation must be a finite number above 0, not 0"),
        ({"bias_level": float("inf")}, "bias_level must be a finite number, not inf"),
        ({"bias_level": None}, "bias_level must be a finite number, not None"),
        ({"gain": {"R": 1.0}}, r"gain is given for the channels \['R'\], .* has \['mono'\]"),
        (
            {"channels": "RGGB", "read_noise": {"R": 1, "G": 2, "B": 3}},
            r"\['B', 'G', 'R'\], the camera has \['B', 'G1', 'G2', 'R'\]",
        ),
        ({"channels": "RGGB", "gain": {"R": 1, "G1": 0, "G2": 1, "B": 1}}, "not 0"),
        ({"leak_directions": [(0.5, 1)]}, "leak_directions is a list of whole-numbered pairs"),
        ({"leak_directions": [1, 2]}, "leak_directions is a list"),
        ({"image_area": "[1:5]"}, "is not a FITS section such as"),
        ({"image_area": {"xmin": 1}}, "an area has xmin, xmax, ymin and ymax, not"),
        ({"overscan": 3}, "overscan is a list of areas, not 3"),
        ({"amplifiers": 3}, "amplifiers is a list of areas, not 3"),
        ({"amplifiers": "left"}, "is not a FITS section"),
        (
            {"amplifiers": ["[1:10,1:9]", "[11:20,1:9]", "[10:12,9:12]"]},
            "the amplifiers 0 < x < 10, 0 < y < 9 and 9 < x < 12, 8 < y < 12 overlap",
        ),
        ({"overscan": [{"xmin": 5, "xmax": 3, "ymin": 0, "ymax": 1}]}, "empty or inverted"),
    ],
)
def test_facts_that_cannot_be_are_refused(facts, text):
    with pytest.raises(CalibrationError, match=text):
        Camera(**facts)


def test_read_noise_of_zero_and_a_bias_level_below_are_allowed():
    camera = Camera(read_noise=0, bias_level=-5)
    assert (camera.read_noise, camera.bias_level) == (0, -5)


def test_values_of_the_one_channel_of_a_monochrome_camera_may_be_named():
    assert Camera(gain={"mono": 2.0}).gain == {"mono": 2.0}


def test_a_camera_is_frozen_and_made_of_keywords():
    camera = Camera(gain=1)
    with pytest.raises(FrozenInstanceError):
        camera.gain = 2
    with pytest.raises(TypeError):
        Camera("RGGB")
    assert replace(camera, gain=3).gain == 3


@pytest.mark.parametrize(
    "overscan",
    [
        "[1:8,1:9]",
        {"xmin": 0, "xmax": 8, "ymin": 0, "ymax": 9},
        Region(xmin=0, xmax=8, ymin=0, ymax=9),
        ["[1:8,1:9]"],
    ],
)
def test_one_overscan_area_needs_no_list(overscan):
    assert Camera(overscan=overscan).overscan == (Region(xmin=0, xmax=8, ymin=0, ymax=9),)


def test_amplifiers_may_touch_but_not_overlap():
    camera = Camera(amplifiers=["[1:10,1:9]", "[11:20,1:9]", "[1:20,10:12]"])
    assert [one.region.xmax for one in camera.amplifiers] == [10, 20, 20]
    assert Camera(amplifiers="[1:10,1:9]").amplifiers == camera.amplifiers[:1]


@pytest.mark.parametrize("overscan", [None, (), [], {}])
def test_no_overscan_area_is_none(overscan):
    assert Camera(overscan=overscan).overscan == ()


# ---------------------------------------------------------------------- TOML, JSON, mappings


TOML = """
channels = "RGGB"
read_noise = 8.0
saturation = 15000
bias_level = 128.5
image_area = "[9:1032,1:1024]"
overscan = ["[1:8,1:1024]", {xmin = 1032, xmax = 1040, ymin = 0, ymax = 1024}]
amplifiers = ["[1:520,1:1024]", {xmin = 520, xmax = 1040, ymin = 0, ymax = 1024}]
leak_directions = [[0, 1], [0, -1]]
name = "ours"
gain = {R = 2.0, G1 = 2.1, G2 = 2.1, B = 2.2}
"""


@pytest.mark.parametrize("table", ["", "[camera]\n"])
def test_a_camera_of_a_toml_file(tmp_path, table):
    path = tmp_path / "camera.toml"
    path.write_text(table + TOML)
    assert Camera.from_toml(path) == Camera(**FULL)
    assert Camera.from_toml(str(path)) == Camera(**FULL)


def test_an_unknown_key_is_refused_with_the_list_of_those_that_are(tmp_path):
    path = tmp_path / "camera.toml"
    path.write_text("gian = 2.0\nzero = 1\n")
    with pytest.raises(CalibrationError) as caught:
        Camera.from_toml(path)
    message = str(caught.value)
    assert "camera.toml: unknown gian, zero; a camera has channels, gain, read_noise" in message
    for field in fields(Camera):
        assert field.name in message


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("gain = 0", CalibrationError, "gain must be a finite number above 0, not 0"),
        ("[camera]\ngian = 2", CalibrationError, "unknown gian; a camera has channels"),
        ('image_area = "[0:5,1:5]"', OutsideImageError, "the area .* starts before the first"),
    ],
)
def test_an_error_names_the_file(tmp_path, text, error, message):
    path = tmp_path / "camera.toml"
    path.write_text(text)
    with pytest.raises(error, match=f"^{re.escape(str(path))}: {message}"):
        Camera.from_toml(path)


@pytest.mark.parametrize(
    "text",
    ["gain = 2\n[camera]\nread_noise = 8", "gain = 2\n[camera]", "camera = 3"],
)
def test_keys_beside_the_table_are_refused(tmp_path, text):
    path = tmp_path / "camera.toml"
    path.write_text(text)
    with pytest.raises(
        CalibrationError, match=r"camera\.toml: .* at the top or in \[camera\], not"
    ):
        Camera.from_toml(path)


def test_a_file_that_is_no_toml_is_named(tmp_path):
    path = tmp_path / "camera.toml"
    path.write_text("gain = = 2")
    with pytest.raises(CalibrationError, match=r"camera\.toml is not valid TOML"):
        Camera.from_toml(path)


def test_a_file_of_an_editor_of_windows_is_read(tmp_path):
    path = tmp_path / "camera.toml"
    path.write_text("gain = 2.0\r\nread_noise = 3.0\r\n", encoding="utf-8-sig", newline="")
    assert (Camera.from_toml(path).gain, Camera.from_toml(path).read_noise) == (2.0, 3.0)


@pytest.mark.parametrize("facts", [{}, FULL, {"gain": np.float64(2.0)}, {"gain": {"mono": 1}}])
def test_json_brings_back_the_same_camera(facts):
    camera = Camera(**facts)
    text = camera.to_json()
    assert json.loads(text)["bias_level"] == camera.bias_level
    assert Camera.from_json(text) == camera
    assert Camera.from_json(text).to_json() == text


def test_numbers_of_numpy_survive_json():
    camera = Camera(gain=np.float32(2.0), saturation=np.int64(15000))
    assert Camera.from_json(camera.to_json()) == camera


def test_facts_complete_a_camera_and_overrule_nothing():
    camera = Camera(gain=2.0, overscan="[1:2,1:2]")
    facts = {"gain": 9.0, "read_noise": 5.0, "overscan": ("[3:4,3:4]",), "channels": None}
    completed = camera.completed_by(facts)
    assert (completed.gain, completed.read_noise) == (2.0, 5.0)
    assert completed.overscan == camera.overscan
    assert camera.read_noise is None
    assert camera.completed_by({}) is camera
    assert Camera().completed_by({"overscan": "[1:2,1:2]"}).overscan == camera.overscan


# ---------------------------------------------------------------------- Region


def test_fits_sections_count_from_one_and_include_their_ends():
    assert Region.parse(" [ 1 : 1 , 2:3 ] ") == Region(xmin=0, xmax=1, ymin=1, ymax=3)
    region = Region(xmin=2, xmax=5, ymin=0, ymax=7)
    assert Region.parse(region) is region
    assert Region.parse({"xmin": 2, "xmax": 5, "ymin": 0, "ymax": 7}) == region
    assert str(region) == "2 < x < 5, 0 < y < 7"


@pytest.mark.parametrize("text", ["", "[1:2]", "1:2,3:4", "[a:2,3:4]", "[-1:2,3:4]", "[1.5:2,3:4]"])
def test_what_is_no_fits_section_is_refused(text):
    with pytest.raises(CalibrationError, match="is not a FITS section"):
        Region.parse(text)


@pytest.mark.parametrize(
    ("area", "error", "text"),
    [
        ("[3:2,1:5]", CalibrationError, "is empty or inverted"),
        ("[1:5,3:2]", CalibrationError, "is empty or inverted"),
        ("[0:5,1:5]", OutsideImageError, "starts before the first pixel"),
        (
            {"xmin": 1.5, "xmax": 3, "ymin": 0, "ymax": 1},
            CalibrationError,
            "an area is given in whole pixels, its xmin is 1.5",
        ),
        (
            {"xmin": 0, "xmax": 1, "ymin": 0, "ymax": "1"},
            CalibrationError,
            "an area is given in whole pixels, its ymax is '1'",
        ),
        ({"xmin": 0, "xmax": 1, "ymin": 0, "ymax": 1, "z": 3}, CalibrationError, "an area has"),
        ({"x": 3}, CalibrationError, "an area has xmin, xmax, ymin and ymax, not {'x': 3}"),
    ],
)
def test_impossible_areas_are_refused(area, error, text):
    with pytest.raises(error, match=text):
        Region.parse(area)


def test_whole_numbers_of_numpy_are_whole_numbers():
    region = Region(xmin=np.int64(0), xmax=np.uint8(4), ymin=0, ymax=1)
    assert all(type(getattr(region, field.name)) is int for field in fields(region))


def test_an_area_is_held_against_a_frame():
    region = Region(xmin=0, xmax=4, ymin=0, ymax=3)
    region.check_inside(3, 4, "the image area")
    with pytest.raises(
        OutsideImageError,
        match="the image area 0 < x < 4, 0 < y < 3 reaches outside the frame, which is 3 pixels "
        "wide and 4 high",
    ):
        region.check_inside(4, 3, "the image area")


def test_more_amplifiers_than_can_be_distinguished_are_refused():
    columns = [Region(xmin=i, xmax=i + 1, ymin=0, ymax=9) for i in range(256)]
    assert len(Camera(amplifiers=columns[:255]).amplifiers) == 255
    with pytest.raises(CalibrationError, match="there are 256 amplifiers, at most 255"):
        Camera(amplifiers=columns)


@given(
    st.builds(
        Camera,
        channels=st.sampled_from([None, "RGGB", {"odd name": {"y_offset": 1, "y_step": 2}}]),
        gain=st.none() | st.floats(1e-6, 1e6),
        read_noise=st.none() | st.floats(0, 1e6),
        bias_level=st.floats(-1e5, 1e5),
        image_area=st.sampled_from([None, "[9:1032,1:1024]"]),
        overscan=st.sampled_from([(), "[1:8,1:4]", ["[1:8,1:4]", "[1:8,5:6]"]]),
        leak_directions=st.sampled_from([(), [(0, 1), (0, -1)]]),
        name=st.text(max_size=20),
    )
)
def test_a_camera_goes_through_toml(camera):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "camera.toml"
        path.write_text(camera.to_toml(), encoding="utf-8")
        assert Camera.from_toml(path) == camera
        path.write_text(f"[types]\n'flat-*' = 'flat'\n[camera]\n{camera.to_toml()}", "utf-8")
        assert Camera.from_toml(path) == camera


HALVES = [
    {"region": "[1:5,1:9]", "corner": "xmin ymin"},
    {"region": "[6:10,1:9]", "corner": "ymin,xmax"},
]


def test_crosstalk_is_a_matrix_of_the_amplifiers_and_survives_its_file(tmp_path):
    camera = Camera(amplifiers=HALVES, crosstalk=[[0, 1e-4], [2e-4, 0]])
    assert camera.crosstalk == ((0.0, 1e-4), (2e-4, 0.0))
    assert [one.corner for one in camera.amplifiers] == ["xmin ymin", "xmax ymin"]
    (tmp_path / "camera.toml").write_text(camera.to_toml())
    assert Camera.from_toml(tmp_path / "camera.toml") == camera
    assert Camera.from_json(camera.to_json()) == camera
    assert camera.of_amplifier(0).crosstalk == ()
    assert Camera(amplifiers=HALVES, crosstalk=[[0, 0], [0, 0]]).crosstalk == ()


@pytest.mark.parametrize(
    ("crosstalk", "amplifiers", "message"),
    [
        ([[0, 1e-4]], HALVES, "2 x 2 for the amplifiers of the camera, not rows of"),
        ([1e-4, 1e-4], HALVES, "2 x 2 for the amplifiers of the camera, not rows of"),
        ([[0, "x"], [0, 0]], HALVES, "crosstalk must be a finite number, not 'x'"),
        ([[1e-4, 0], [0, 0]], HALVES, "0 between an amplifier and itself"),
        ([[0, 1.5], [0, 0]], HALVES, "far below 1 between others"),
        ([[0, 1e-4], [0, 0]], ["[1:5,1:9]", HALVES[1]], "nobody states which corner is read first"),
        ((), [{"region": "[1:5,1:9]", "corner": "left"}], "one of xmin ymin, xmax ymin"),
    ],
)
def test_crosstalk_that_cannot_be_is_refused(crosstalk, amplifiers, message):
    with pytest.raises(CalibrationError, match=message):
        Camera(amplifiers=amplifiers, crosstalk=crosstalk)

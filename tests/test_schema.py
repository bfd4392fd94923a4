import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr import Camera, Flag, SchemaError, schema
from autowisp_xr.regions import ChannelSlice
from tests.steps.frames import TWO_CHANNELS, frame_set, master


@pytest.fixture
def ds():
    camera = Camera(channels=TWO_CHANNELS)
    return frame_set(np.ones((3, 2, 5, 7), "f4"), camera=camera, variance=1.0, mask=0)


def test_frame_sets_and_masters_pass(ds):
    schema.check(ds)
    schema.check(ds.chunk(frame=1))
    schema.check(frame_set(np.ones((3, 2), "u2")))
    schema.check(master(np.ones((5, 7))), master=True)
    schema.check(ds.assign(shared_variance=ds["variance"][0], count=ds["mask"][0]))
    schema.check(ds.assign(shared_variance=ds["variance"]))
    schema.check(ds.assign(shared_relative_variance=ds["variance"][0]))


def test_what_frames_share_may_differ_between_them(ds):
    schema.check(ds.assign(shared_relative_variance=ds["variance"]))
    with pytest.raises(SchemaError, match=r"'rate' has the dims .* by aw\.concat"):
        schema.check(ds.assign(rate=ds["variance"]))


def test_a_stack_that_was_opened_as_a_frame_keeps_what_it_counts(ds):
    schema.check(ds.assign(dict.fromkeys(schema.NUMBERS_OF_VALUES, ds["mask"])))
    schema.check(ds.assign(dict.fromkeys(schema.NUMBERS_OF_VALUES, ds["mask"][0])))


def test_all_faults_are_in_one_message(ds):
    wrong = ds.transpose("y", "frame", "channel", "x")
    wrong = wrong.assign(
        mask=wrong["mask"].astype("f4"),
        count=ds["variance"][0],
        shared_variance=ds["mask"][0],
    ).isel(x=slice(0))
    wrong = wrong.assign_coords(frame=["a", "a", "b"])
    with pytest.raises(SchemaError) as caught:
        schema.check(wrong, name="the night")
    message = str(caught.value)
    assert message.startswith("the night is not a frame set (frame, channel, y, x):")
    for fault in (
        "'image' has the dims ('y', 'frame', 'channel', 'x'), expected ('frame', 'channel', 'y',",
        "'variance' has the dims",
        "'mask' has the type float32, expected uint8 (a mask of floats has been through where()",
        "'count' has the type float64, expected whole numbers",
        "'shared_variance' has the type uint8, which is no real number",
        "there is nothing along 'x'",
        "'frame' names ['a'] more than once",
    ):
        assert fault in message
    assert message.count("\n  - ") >= 8


def test_what_has_no_image_is_refused_with_what_there_is():
    with pytest.raises(SchemaError, match=r"no variable 'image' among \['a', 'b'\]"):
        schema.check(xr.Dataset({"b": 1, "a": 2}))


def test_what_a_later_version_has_made_is_refused(ds):
    with pytest.raises(SchemaError, match=r"schema_version is 999, and this version .* knows 1"):
        schema.check(ds.assign_attrs(schema_version=999))


@pytest.mark.parametrize("wrong", [None, 3, np.ones((2, 2)), xr.DataArray([1])])
def test_what_is_no_dataset_is_refused(wrong):
    with pytest.raises(SchemaError, match=f"it is a {type(wrong).__name__}, an xarray.Dataset"):
        schema.check(wrong)


def test_frames_are_no_master_and_masters_no_frames(ds):
    with pytest.raises(SchemaError, match=r"is not a master \(channel, y, x\)"):
        schema.check(ds, master=True)
    with pytest.raises(SchemaError, match=r"is not a frame set"):
        schema.check(ds.isel(frame=0))


@pytest.mark.parametrize("dtype", ["c8", "?", "U3", "M8[s]"])
def test_images_are_of_real_numbers(dtype):
    with pytest.raises(SchemaError, match="which is no real number"):
        schema.check(frame_set(np.zeros((2, 2), dtype)))


def test_a_variance_of_whole_numbers_is_refused(ds):
    with pytest.raises(SchemaError, match="'variance' has the type int64"):
        schema.check(ds.assign(variance=ds["variance"].astype("i8")))


def test_channels_named_twice_are_refused(ds):
    with pytest.raises(SchemaError, match=r"'channel' names \['A'\] more than once"):
        schema.check(ds.assign_coords(channel=["A", "A"]))


def test_attributes_state_units_and_flags(ds):
    for units, squared in (("adu", "adu2"), ("electron", "electron2"), ("1", "1")):
        named = schema.with_attributes(ds, units)
        assert named["image"].attrs["units"] == units
        assert named["variance"].attrs["units"] == squared
        assert "units" not in ds["mask"].attrs
    mask = ds["mask"].attrs
    assert mask["flag_masks"].tolist() == [1, 2, 4, 8, 16, 32, 64, 128]
    assert mask["flag_masks"].dtype == np.uint8
    assert mask["flag_meanings"].split() == [
        "fault", "hot", "cosmic", "outer", "oversaturated", "leaked", "interpolated",
        "nonlinear",
    ]  # fmt: skip
    assert ds.attrs["schema_version"] == schema.SCHEMA_VERSION
    with pytest.raises(KeyError):
        schema.variable_attributes("sky")


def test_attributes_are_given_to_a_copy(ds):
    before = ds.copy(deep=True)
    schema.with_attributes(ds, "electron")
    xr.testing.assert_identical(ds, before)
    assert len(Flag) == len(before["mask"].attrs["flag_masks"])


def test_a_master_of_one_frame_loses_the_dim(ds):
    alone = schema.as_master(ds.isel(frame=[1]))
    assert alone["image"].dims == ("channel", "y", "x")
    plain = master([1.0])
    assert schema.as_master(plain) is plain
    with pytest.raises(SchemaError, match="the flat is not a master"):
        schema.as_master(ds, name="the flat")


def test_names_are_plain_text_however_they_are_stored(ds):
    for kind in (object, "U8", np.dtypes.StringDType()):
        given = ds.assign_coords(channel=np.array(["A", "B"], dtype=kind))
        assert schema.names(given, "channel") == ["A", "B"]
    assert schema.names(ds.isel(frame=0), "frame") == ["object-0"]


def test_cameras_travel_with_frames(ds):
    assert schema.camera_of(ds).channels["B"] == ChannelSlice(x_offset=1, x_step=2)
    assert schema.camera_of(xr.Dataset()) == Camera()


@pytest.mark.parametrize("other", ["Canon", Camera(), ["Canon"]])
def test_a_camera_of_somebody_else_is_refused(ds, other):
    with pytest.raises(SchemaError, match=r"attrs\['camera'\] is the text of Camera.to_json\(\)"):
        schema.camera_of(ds.assign_attrs(camera=other))


@pytest.mark.parametrize("rows", [["a", "b", "c", "d", "e"], [0, 1, np.nan, 3, 4]])
def test_rows_are_numbers_of_pixels(ds, rows):
    with pytest.raises(SchemaError, match="'y' holds other things than numbers of raw-frame pix"):
        schema.check(ds.assign_coords(y=rows))


def test_where_channels_lie_is_read_from_coordinates(ds):
    assert schema.channel_slices(ds) == list(Camera(channels=TWO_CHANNELS).channels.values())
    bare = ds.drop_vars(["y_offset", "x_offset", "y_step", "x_step"])
    assert schema.channel_slices(bare) == [ChannelSlice(), ChannelSlice()]


def test_places_count_raw_pixels():
    channels = Camera(channels="RGGB").channels
    coords = xr.Dataset(coords=schema.place(channels, 2, 3, y=4, x=6))
    assert coords["y"].values.tolist() == [4, 6]
    assert coords["x"].values.tolist() == [6, 8, 10]
    assert coords["x_offset"].values.tolist() == [0, 1, 0, 1]
    assert coords["y_step"].values.tolist() == [2, 2, 2, 2]
    assert coords["channel"].dtype == np.dtypes.StringDType()


def test_raw_frames_are_those_without_a_variance(ds):
    assert not schema.is_raw(ds)
    assert schema.is_raw(ds.drop_vars("variance"))


NAMES = [f"object-{number:04d}" for number in range(1, 21)]


@pytest.mark.parametrize(
    ("wanted", "place"),
    [(0, 0), (-1, 19), (np.int64(3), 3), ("object-0002", 1), (np.str_("object-0002"), 1)],
)
def test_a_number_or_a_name_finds_its_place(wanted, place):
    assert schema.number_of(wanted, NAMES, "frame") == place


def test_a_name_that_looks_like_a_number_is_a_name():
    assert schema.number_of("1", ["2", "1"], "frame") == 1


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (20, "there is no frame 20 among 20, counted from 0"),
        (-21, "there is no frame -21 among 20, counted from 0"),
        ("objct-0003", r"no frame 'objct-0003' the nearest of 20: object-0003, object"),
        ("?", r"no frame '\?' among 20: object-0001, .*object-0005, \.\.\.$"),
        (True, "there is no frame True"),
        (1.5, "there is no frame 1.5"),
    ],
)
def test_what_is_not_there_is_refused_and_the_nearest_are_named(wanted, message):
    with pytest.raises(ValueError, match=message):
        schema.number_of(wanted, NAMES, "frame")


@given(st.lists(st.text(max_size=8), min_size=1, max_size=6, unique=True), st.data())
def test_each_name_finds_its_own_place(names, data):
    place = data.draw(st.integers(0, len(names) - 1))
    assert schema.number_of(names[place], names, "channel") == place

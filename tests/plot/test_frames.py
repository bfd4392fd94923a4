import inspect
import pickle
import sys

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba

import autowisp_xr as aw
from autowisp_xr import Camera, Flag, Region, SchemaError, plot, schema
from autowisp_xr.plot.figures import FLAGS, new_picture
from autowisp_xr.testing import assert_frames_equal
from tests.steps.frames import TWO_CHANNELS, frame_set, master

HOT, FAULT, FULL = int(Flag.HOT), int(Flag.FAULT), int(Flag.OVERSATURATED)
RAMP = np.arange(35.0).reshape(5, 7)


def drawn(axes):
    """Draw the figure, so that whatever matplotlib would warn of is an error."""
    figure = np.ravel(axes)[0].figure
    FigureCanvasAgg(figure).draw()
    return figure


def panels(figure):
    return [axes for axes in figure.axes if axes.axison]


def titles(figure):
    return [axes.get_title() for axes in panels(figure)]


def shown(axes):
    """Values in the picture; None where there is no image."""
    return axes.images[0].get_array().filled(np.nan) if axes.images else None


def overlay(axes):
    return axes.images[1].get_array()


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def heading(figure):
    return figure.get_suptitle().split("\n")


def colour(flag):
    return np.array(to_rgba(FLAGS[flag][1]))


# ---------------------------------------------------------------------- one panel


def test_the_pixels_of_the_frame_asked_for_are_drawn():
    ds = frame_set(np.stack([RAMP, 2 * RAMP])[:, None])
    for wanted, factor in ((0, 1), (-1, 2), ("object-1", 2)):
        (axes,) = panels(drawn(plot.frame(ds, wanted)))
        np.testing.assert_array_equal(shown(axes), factor * RAMP)


def test_the_heading_states_which_frame_it_is():
    raw = aw.simulate.Night(shape=(8, 12)).objects(2)
    assert heading(drawn(plot.frame(raw, 1))) == [
        "object-0002",
        "object M42, V, 60 s, 2024-03-01 21:01:40 UTC",
    ]


def test_a_master_and_a_single_frame_are_drawn_as_well():
    night = aw.simulate.Night(shape=(8, 12), seed=2)
    bias = aw.master_bias(night.bias(3))
    figure = drawn(plot.frame(bias))
    assert heading(figure) == ["stack of 3", "bias, 0 s, 2024-03-01 18:30:10 UTC"]
    one = night.bias(3).isel(frame=2)
    assert heading(drawn(plot.frame(one)))[0] == "bias-0003"


def test_frames_without_names_are_drawn_by_number():
    ds = frame_set(np.stack([RAMP, 2 * RAMP])[:, None])[["image"]].drop_vars(["frame", "y", "x"])
    (axes,) = panels(drawn(plot.frame(ds, 1)))
    np.testing.assert_array_equal(shown(axes), 2 * RAMP)


def test_axes_count_pixels_of_the_raw_frame():
    (axes,) = panels(drawn(plot.frame(frame_set(RAMP, corner=(10, 20)))))
    assert axes.images[0].get_extent() == [19.5, 26.5, 9.5, 14.5]
    assert (axes.get_xlim(), axes.get_ylim()) == ((19.5, 26.5), (9.5, 14.5))


def test_planes_of_a_mosaic_cover_their_super_pixels():
    ds = frame_set(np.stack([RAMP, RAMP]), camera=Camera(channels=TWO_CHANNELS), corner=(3, 4))
    for axes in panels(drawn(plot.frame(ds))):
        assert axes.images[0].get_extent() == [3.5, 17.5, 2.5, 7.5]


@pytest.mark.parametrize("cut", [slice(1, 4), slice(None, None, 2), slice(None, None, -1), [3]])
def test_a_part_of_a_frame_lies_where_it_was(cut):
    (axes,) = panels(drawn(plot.frame(frame_set(RAMP, corner=(0, 20)).isel(x=cut))))
    columns = np.arange(20, 27)[cut]
    left, right = axes.get_xlim()
    width = (right - left) / columns.size
    # a pixel that stands for a step of several reaches to the next one
    seen = left + width * np.arange(columns.size) + (0.5 if width > 0 else width + 0.5)
    np.testing.assert_allclose(seen, columns)


def test_the_colour_bar_states_the_unit():
    for units, label in (("adu", "ADU"), ("electron", "electrons"), ("1", "relative")):
        figure = drawn(plot.frame(frame_set(RAMP, units=units)))
        (bar,) = panels(figure)[0].child_axes
        assert bar.get_ylabel() == label


# ---------------------------------------------------------------------- black and white


def test_flagged_pixels_do_not_decide_what_is_black_and_white():
    image, mask = RAMP.copy(), np.zeros((5, 7))
    image[0, 0], mask[0, 0] = 1e6, HOT
    (axes,) = panels(drawn(plot.frame(frame_set(image, mask=mask))))
    assert 33 < axes.images[0].get_clim()[1] < 35


def test_neither_does_the_overscan():
    image = np.hstack([1000 + RAMP, np.zeros((5, 3))])
    camera = Camera(image_area=Region(xmin=0, xmax=7, ymin=0, ymax=5))
    (axes,) = panels(drawn(plot.frame(frame_set(image, camera=camera))))
    assert axes.images[0].get_clim()[0] > 1000


def test_limits_state_what_is_black_and_white():
    (axes,) = panels(drawn(plot.frame(frame_set(RAMP), limits=(10, 20))))
    assert axes.images[0].get_clim() == (10, 20)


# ---------------------------------------------------------------------- flags


def test_the_legend_counts_what_is_marked_in_colour():
    image, mask = RAMP.copy(), np.zeros((5, 7), np.uint8)
    mask[0, :2], mask[1, 1], mask[4, 6] = HOT, HOT | FULL, int(Flag.LEAKED)
    image[2, 2] = np.nan
    (axes,) = panels(drawn(plot.frame(frame_set(image, mask=mask))))
    assert legend(axes) == [
        "3 hot (8.6 %)",
        "1 saturated (2.9 %)",
        "1 leaked into (2.9 %)",
        "1 fault or no number (2.9 %)",
    ]
    assert axes.get_legend().get_title().get_text() == "5 pixels are marked (14 %)"
    expected = np.zeros((5, 7, 4))
    expected[mask == HOT] = expected[1, 1] = colour(Flag.HOT)
    expected[4, 6], expected[2, 2] = colour(Flag.LEAKED), colour(Flag.FAULT)
    np.testing.assert_array_equal(overlay(axes), expected)


def test_every_flag_has_a_name_and_a_colour_of_its_own():
    single = {flag for flag in Flag if flag.bit_count() == 1}
    assert set(FLAGS) == single
    assert len({name for name, _ in FLAGS.values()}) == len(single)
    assert len({colour for _, colour in FLAGS.values()}) == len(single)


@pytest.mark.parametrize(
    ("flags", "marked"),
    [("BAD", {HOT, FULL, FAULT}), ("SATURATED", {FULL}), (["HOT", "NAN"], {HOT, FAULT}), ((), ())],
)
def test_only_flags_that_were_asked_for_are_marked(flags, marked):
    mask = np.zeros((5, 7))
    mask[0, :3] = HOT, FULL, FAULT
    (axes,) = panels(drawn(plot.frame(frame_set(RAMP, mask=mask), flags=flags)))
    names = [FLAGS[flag][0] for flag in (Flag.HOT, Flag.OVERSATURATED, Flag.FAULT)]
    wanted = [f"1 {name} (2.9 %)" for name, flag in zip(names, (HOT, FULL, FAULT), strict=True)
              if flag in marked]  # fmt: skip
    assert (legend(axes) if axes.get_legend() else []) == wanted


def test_frames_without_a_flag_have_no_legend():
    for ds in (frame_set(RAMP), frame_set(RAMP, mask=np.zeros((5, 7)))):
        (axes,) = panels(drawn(plot.frame(ds)))
        assert axes.get_legend() is None
        assert len(axes.images) == 1


@pytest.mark.parametrize("side", [512, 700, 1700, 2049])
def test_a_single_hot_pixel_is_seen_in_a_frame_larger_than_the_screen(side):
    mask = np.zeros((side, side), np.uint8)
    mask[side // 3, side // 2] = HOT
    ds = frame_set(np.zeros((side, side), np.float32), mask=mask)
    figure = drawn(plot.frame(ds, limits=(0, 1)))
    (axes,) = panels(figure)
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(float)
    y0, y1 = (round(pixels.shape[0] - edge) for edge in axes.bbox.extents[[3, 1]])
    x0, x1 = (round(edge) for edge in axes.bbox.extents[[0, 2]])
    inside = pixels[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3]
    seen = inside[..., 0] - inside[..., 2]
    red, _, blue, _ = 255 * colour(Flag.HOT)
    assert seen.max() == pytest.approx(red - blue, abs=2)
    row, column = np.unravel_index(seen.argmax(), seen.shape)
    assert row / seen.shape[0] == pytest.approx(2 / 3, abs=0.02)
    assert column / seen.shape[1] == pytest.approx(1 / 2, abs=0.02)


def test_the_legend_states_that_pixels_are_drawn_in_blocks():
    mask = np.zeros((40, 1650), np.uint8)
    mask[0, 0] = HOT
    ds = frame_set(np.zeros((40, 1650)), mask=mask)
    (axes,) = panels(drawn(plot.frame(ds)))
    assert axes.get_legend().get_title().get_text().endswith("), in blocks of 1 x 3")
    assert legend(axes) == ["1 hot (0.0015 %)"]
    (axes,) = panels(drawn(plot.frame(ds.isel(x=slice(100)))))
    assert axes.get_legend().get_title().get_text().endswith("%)")


def test_blocks_that_reach_beyond_the_frame_do_not_move_it():
    ds = frame_set(np.arange(1000.0 * 1001).reshape(1000, 1001), corner=(5, 3))
    (axes,) = panels(drawn(plot.frame(ds)))
    assert shown(axes).shape == (500, 501)
    assert axes.images[0].get_extent() == [2.5, 1004.5, 4.5, 1004.5]
    assert axes.get_xlim() == (2.5, 1003.5)


# ---------------------------------------------------------------------- channels


def test_all_channels_stand_side_by_side():
    ds = frame_set(np.stack([RAMP, 9 * RAMP]), camera=Camera(channels=TWO_CHANNELS))
    figure = drawn(plot.frame(ds))
    assert titles(figure) == ["A", "B"]
    for axes, factor in zip(panels(figure), (1, 9), strict=True):
        np.testing.assert_array_equal(shown(axes), factor * RAMP)


@pytest.mark.parametrize("channel", ["B", 1, -1])
def test_one_channel_can_be_chosen(channel):
    ds = frame_set(np.stack([RAMP, 9 * RAMP]), camera=Camera(channels=TWO_CHANNELS))
    figure = drawn(plot.frame(ds, channel=channel))
    (axes,) = panels(figure)
    np.testing.assert_array_equal(shown(axes), 9 * RAMP)
    assert heading(figure)[0] == "object-0, channel B"


def test_a_bayer_frame_is_a_row_of_four_above_another():
    night = aw.simulate.Night(shape=(16, 24), channels="RGGB")
    raw = night.objects(1)
    figure = drawn(raw.autowisp.calibrate().autowisp.plot(before=raw))
    assert titles(figure) == [
        f"{when}: {channel}" for when in ("before", "after") for channel in ("R", "G1", "G2", "B")
    ]


def test_a_mosaic_that_was_not_yet_split_stands_before_a_channel():
    night = aw.simulate.Night(shape=(16, 24), channels="RGGB")
    science = night.objects(1).autowisp.calibrate()
    mosaic = night.objects(1, split=False)
    figure = drawn(plot.frame(science, channel="G1", before=mosaic))
    np.testing.assert_array_equal(shown(panels(figure)[0]), mosaic.image[0, 0])
    assert len(panels(drawn(plot.frame(science, before=mosaic)))) == 5


# ---------------------------------------------------------------------- before, error


def test_the_frame_of_the_same_name_stands_before():
    raw = frame_set(np.stack([RAMP, 2 * RAMP, 3 * RAMP])[:, None] + 1000)
    science = frame_set(np.stack([RAMP, 2 * RAMP, 3 * RAMP])[:, None]).isel(frame=[2, 0])
    figure = drawn(plot.frame(science, 0, before=raw))
    assert titles(figure) == ["before", "after"]
    before, after = panels(figure)
    np.testing.assert_array_equal(shown(before), 3 * RAMP + 1000)
    np.testing.assert_array_equal(shown(after), 3 * RAMP)
    assert before.images[0].get_clim()[0] > 1000 > after.images[0].get_clim()[1]


def test_limits_are_those_of_the_frame_not_of_what_was_before():
    raw = frame_set(RAMP + 1000)
    before, after = panels(drawn(plot.frame(frame_set(RAMP), before=raw, limits=(1, 2))))
    assert before.images[0].get_clim()[0] > 1000
    assert after.images[0].get_clim() == (1, 2)


def test_both_are_drawn_on_one_scale():
    camera = Camera(image_area=Region(xmin=0, xmax=40, ymin=0, ymax=30))
    raw = frame_set(np.ones((30, 60)), camera=camera)
    figure = drawn(plot.frame(raw.isel(x=slice(40)), before=raw, size=3))
    scales = [axes.bbox.width / np.ptp(axes.get_xlim()) for axes in panels(figure)]
    assert scales[0] == pytest.approx(scales[1], rel=0.03)


def test_before_a_stack_stands_the_frame_that_was_asked_for():
    frames = frame_set(np.stack([RAMP, 2 * RAMP])[:, None])
    deep = master(1.5 * RAMP)
    figure = drawn(plot.frame(deep, 1, before=frames))
    assert titles(figure) == ["before: object-1", "after"]
    np.testing.assert_array_equal(shown(panels(figure)[0]), 2 * RAMP)
    assert titles(drawn(plot.frame(deep, before=deep))) == ["before", "after"]
    assert titles(drawn(plot.frame(frames, 1, before=deep))) == ["before: stack", "after"]


def test_the_error_is_the_square_root_of_the_variance():
    figure = drawn(plot.frame(frame_set(RAMP, variance=RAMP**2), error=True))
    image, error = panels(figure)
    np.testing.assert_array_equal(shown(image), RAMP)
    np.testing.assert_allclose(shown(error), RAMP)
    assert error.child_axes[0].get_ylabel() == "error [ADU]"
    assert error.get_legend() is None


def test_errors_of_flagged_pixels_do_not_decide_about_its_colours():
    variance, mask = RAMP**2, np.zeros((5, 7))
    variance[0, 0], mask[0, 0] = 1e12, HOT
    figure = drawn(plot.frame(frame_set(RAMP, variance=variance, mask=mask), error=True))
    assert panels(figure)[1].images[0].get_clim()[1] < 35


def test_the_error_of_a_block_is_that_of_its_pixels():
    ds = frame_set(np.ones((1200, 900)), variance=np.full((1200, 900), 9.0))
    figure = drawn(plot.frame(ds, error=True))
    np.testing.assert_allclose(shown(panels(figure)[1]), 3.0)


def test_where_no_error_is_known_the_picture_states_so():
    figure = drawn(plot.frame(frame_set(RAMP), error=True))
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert words == ["no error is known"]


# ---------------------------------------------------------------------- odd frames


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        (RAMP, np.full((5, 7), 127)),
        (np.full((5, 7), np.nan), None),
        (np.full((5, 7), np.nan), np.full((5, 7), FAULT)),
        (np.full((5, 7), -np.inf), np.zeros((5, 7))),
        (np.full((5, 7), 3.25), None),
        (np.full((5, 7), -3e38, np.float32), None),
        (np.zeros((5, 7), np.uint16), None),
        (np.full((5, 7), 65535, np.uint16), None),
        (RAMP.astype(np.int16) - 30000, None),
        (RAMP[:, :1], None),
        (RAMP[:1], np.full((1, 7), HOT)),
        (RAMP[:1, :1], None),
        (np.ones((1, 3000)), None),
        (np.ones((3000, 2), np.uint8), np.full((3000, 2), FULL)),
    ],
)
@pytest.mark.parametrize("error", [False, True])
def test_odd_frames_are_drawn(image, mask, error):
    planes = {} if mask is None else {"mask": mask}
    ds = frame_set(image, variance=np.abs(image.astype(np.float32)), **planes)
    figure = drawn(plot.frame(ds, error=error, before=frame_set(image)))
    assert len(panels(figure)) == 2 + error
    if not np.isfinite(image).any():
        words = [text.get_text() for axes in figure.axes for text in axes.texts]
        assert words == ["no pixel is a number"] * len(panels(figure))


def test_variances_that_cannot_be_are_left_blank():
    variance = RAMP - 1
    figure = drawn(plot.frame(frame_set(RAMP, variance=variance), error=True))
    assert np.isnan(shown(panels(figure)[1])[0, 0])


@pytest.mark.parametrize("size", [1.5, 9.0])
def test_the_size_of_a_panel_can_be_chosen(size):
    ds = frame_set(np.ones((30, 40)))
    (axes,) = panels(drawn(plot.frame(ds, size=size)))
    assert axes.bbox.width / 100 == pytest.approx(size, abs=0.5)


# ---------------------------------------------------------------------- laziness


def test_only_the_planes_that_are_drawn_are_computed():
    read = []

    def opened(block, block_info=None):
        read.append(tuple(start for start, _ in block_info[0]["array-location"][:2]))
        return block

    planes = np.broadcast_to(RAMP, (4, 2, 5, 7))
    ds = frame_set(planes, camera=Camera(channels=TWO_CHANNELS), variance=planes + 1)
    for name in ("image", "variance"):
        lazy = da.from_array(ds[name].values, chunks=(1, 1, 5, 7)).map_blocks(opened, dtype=float)
        ds[name] = ds[name].copy(data=lazy)
    plot.frame(ds, 2, "B")
    assert read == [(2, 1)]
    read.clear()
    plot.frame(ds, "object-3", error=True)
    assert sorted(read) == [(3, 0), (3, 0), (3, 1), (3, 1)]


def test_what_image_and_error_have_in_common_is_computed_once():
    read = []

    def opened(block):
        read.append(1)
        return block

    ds = frame_set(RAMP, variance=RAMP)
    lazy = da.from_array(ds["image"].values, chunks=-1).map_blocks(
        opened, dtype=float, meta=np.empty((0,) * 4)
    )
    ds["image"], ds["variance"] = ds["image"].copy(data=lazy), ds["variance"].copy(data=2 * lazy)
    plot.frame(ds, error=True)
    assert read == [1]


def test_frames_in_files_are_drawn_without_the_files_of_others(tmp_path):
    raw = aw.simulate.Night(shape=(12, 16), seed=1).objects(3)
    paths = aw.to_fits(raw, tmp_path / "{RAWFNAME}.fits")
    opened = aw.open_fits(tmp_path)
    for path in (paths[0], paths[2]):
        with open(path, "wb"):
            pass
    (axes,) = panels(drawn(opened.autowisp.plot(1)))
    np.testing.assert_array_equal(shown(axes), raw.image[1, 0])


def test_frames_in_a_store_are_drawn_as_those_in_memory(tmp_path):
    science = aw.simulate.Night(shape=(12, 16), seed=1).objects(3).autowisp.calibrate()
    stored = science.autowisp.to_zarr(tmp_path / "night.zarr")
    ours, theirs = (drawn(plot.frame(ds, 1, error=True)) for ds in (stored, science))
    for one, other in zip(panels(ours), panels(theirs), strict=True):
        np.testing.assert_array_equal(shown(one), shown(other))


def test_what_is_drawn_stays_as_it_was():
    image = RAMP.copy()
    image[1, 1] = np.nan
    ds = frame_set(image, variance=RAMP, mask=np.full((5, 7), HOT))
    raw = frame_set(RAMP)
    kept = ds.copy(deep=True), raw.copy(deep=True)
    plot.frame(ds, before=raw, error=True)
    assert_frames_equal(ds, kept[0])
    assert_frames_equal(raw, kept[1])
    assert ds.attrs == kept[0].attrs


# ---------------------------------------------------------------------- the figure


def test_a_picture_is_one_of_pyplot_as_those_of_xarray_are():
    axes = plot.frame(frame_set(RAMP))
    assert axes.figure.number in plt.get_fignums()


def test_names_are_taken_literally():
    ds = frame_set(RAMP).assign_coords(frame=["$a_1"], channel=["$x$"])
    assert heading(drawn(plot.frame(ds)))[0] == "$a_1"


def test_nothing_of_a_legend_is_cut_off():
    mask = np.zeros((5, 7), np.uint8)
    mask.flat[:8] = [flag for flag in Flag if flag.bit_count() == 1]
    ds = frame_set(np.stack([RAMP, RAMP]), camera=Camera(channels=TWO_CHANNELS), mask=mask)
    for found in (plot.frame(ds), plot.frame(ds, channel=0), plot.frame(ds, before=ds, size=2)):
        figure = drawn(found)
        for axes in panels(figure):
            box = axes.get_legend().get_window_extent()
            assert box.y0 >= 0
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.width


def test_the_accessor_has_a_door_of_its_own():
    method = list(inspect.signature(frame_set(RAMP).autowisp.plot).parameters.values())
    function = list(inspect.signature(plot.frame).parameters.values())[1:]
    assert [(p.name, p.kind, p.default) for p in method] == [
        (p.name, p.kind, p.default) for p in function
    ]


# ---------------------------------------------------------------------- refusals


def test_without_matplotlib_the_error_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pictures need matplotlib.*pip install '\.\[plot\]'"):
        plot.frame(frame_set(RAMP))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame": "objct-0"}, r"there is no frame 'objct-0' the nearest of 1: object-0"),
        ({"frame": 1}, "there is no frame 1 among 1, counted from 0"),
        ({"channel": "G"}, "there is no channel 'G' among 1: mono"),
        ({"channel": 2}, "there is no channel 2 among 1, counted from 0"),
        ({"flags": "HOTT"}, "'HOTT' is not a flag"),
        ({"limits": (2, 1)}, r"the smaller one first, not \(2, 1\)"),
        ({"limits": (np.nan, 1)}, "two finite numbers"),
        ({"limits": (1, 2, 3)}, "two finite numbers"),
        ({"size": 0}, "size is a positive number of inches, not 0"),
        ({"before": frame_set(RAMP, kind="dark")}, "before: there is no frame 'object-0' among 1"),
    ],
)
def test_what_is_not_there_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        plot.frame(frame_set(RAMP), **options)


def test_a_channel_that_was_not_there_before_is_refused():
    ds = frame_set(np.stack([RAMP, RAMP]), camera=Camera(channels=TWO_CHANNELS))
    with pytest.raises(ValueError, match="before: there is no channel 'B' among 2: A, C"):
        plot.frame(ds, channel="B", before=ds.assign_coords(channel=["A", "C"]))


@pytest.mark.parametrize(
    ("ds", "before"),
    [
        (master(RAMP), None),
        (master(RAMP), master(RAMP)),
        (frame_set(RAMP).isel(frame=0), None),
        (frame_set(RAMP).isel(frame=0), frame_set(RAMP)),
    ],
)
def test_a_single_frame_and_a_master_have_no_other_frame(ds, before):
    with pytest.raises(ValueError, match="a master has no frame 3; leave it out"):
        plot.frame(ds, 3, before=before)
    assert panels(drawn(plot.frame(ds, before=before)))


@pytest.mark.parametrize(
    ("ds", "message"),
    [
        (5, "it is a int"),
        (frame_set(RAMP).drop_vars("image"), "no variable 'image'"),
        (frame_set(RAMP).transpose("x", ...), "expected"),
    ],
)
def test_what_are_no_frames_is_refused(ds, message):
    with pytest.raises(SchemaError, match=message):
        plot.frame(ds)
    with pytest.raises(SchemaError, match=r"before is not[\s\S]*" + message):
        plot.frame(frame_set(RAMP), before=ds)


def test_the_flags_in_the_picture_are_those_of_the_data_model():
    assert sum(int(flag) for flag in FLAGS) == 255
    assert schema.DIMS[0] == "frame"


def test_figures_can_be_pickled():
    mask = np.zeros((5, 7))
    mask[0, 0] = HOT
    ds = frame_set(RAMP, variance=RAMP, mask=mask)
    figure = drawn(plot.frame(ds, error=True))
    back = pickle.loads(pickle.dumps(figure))
    FigureCanvasAgg(back).draw()
    np.testing.assert_array_equal(shown(back.axes[0]), RAMP)
    picture = new_picture(2, 1)
    picture.subplots().plot([1, 2])
    back = pickle.loads(pickle.dumps(picture))
    assert back._repr_png_() == picture._repr_png_()


def test_axes_that_are_given_are_drawn_on():
    figure, given = plt.subplots(1, 2)
    ds = frame_set(RAMP, variance=RAMP)
    assert plot.frame(ds, error=True, ax=given) is given
    assert [len(axes.images) for axes in given] == [1, 1]
    assert plot.frame(ds, ax=given[0]) is given[0]
    assert plt.get_fignums() == [figure.number]
    with pytest.raises(ValueError, match="1 axes are drawn on, and ax has 2"):
        plot.frame(ds, ax=given)
    with pytest.raises(ValueError, match="ax is an Axes of matplotlib, or several, not 3"):
        plot.frame(ds, ax=3)

"""The pictures of ``ds.autowisp.plot``, but for those of single frames."""

import pickle
import sys

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgba

import autowisp_xr as aw
from autowisp_xr import Camera, Flag, SchemaError
from autowisp_xr.plot.figures import FLAGS, VERMILLION
from tests.steps.frames import TWO_CHANNELS, frame_set

HOT = int(Flag.HOT)
CAMERA = Camera(gain=2.0, read_noise=6.0)
PICTURES = ("frame", "flags", "noise", "histogram", "night")


def sky(level=100.0, number=3, shape=(60, 80)):
    """Frames with the noise of their camera."""
    random = np.random.default_rng(1)
    image = random.poisson(2 * level, (number, 1, *shape)) / 2 + random.normal(
        0, 3, (number, 1, *shape)
    )
    ds = frame_set(image, camera=CAMERA, mask=np.zeros(image.shape, "u1"))
    times = np.datetime64("2024-03-01T21") + np.arange(number) * np.timedelta64(60, "s")
    ds = ds.assign_coords(time=("frame", times.astype("M8[ns]")), ra=("frame", [0.1, 359.9, 0.0]))
    ds = ds.assign_coords(dec=("frame", [60.0, 60.0, 61]), temperature=("frame", [-9.0, -8, -7]))
    variance = np.maximum(image, 0) / 2 + 9
    return ds.assign(variance=(ds["image"].dims, variance, {"units": "adu2"}))


def drawn(axes):
    FigureCanvasAgg(np.ravel(axes)[0].figure).draw()
    return axes


def unreadable(shape):
    def read(block_info=None):
        raise AssertionError

    return da.map_blocks(read, chunks=[(size,) for size in shape], dtype=float, meta=np.empty(0))


@pytest.fixture(scope="module")
def frames():
    return sky()


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


# ---------------------------------------------------------------------- what all have in common


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_returns_axes_and_is_drawn_on_those_given(frames, name):
    options = {"quantities": "level"} if name == "night" else {}
    picture = getattr(frames.autowisp.plot, name)
    assert isinstance(drawn(picture(**options)), plt.Axes)
    figure, given = plt.subplots()
    assert drawn(picture(**options, ax=given)) is given
    assert given.has_data()
    assert figure.axes == [given]
    assert pickle.loads(pickle.dumps(figure)).axes[0].has_data()
    with pytest.raises(ValueError, match="1 axes are drawn on, and ax has 2"):
        picture(**options, ax=[given, given])


@pytest.mark.parametrize("name", [*PICTURES, "before_after", "blink"])
def test_without_matplotlib_the_error_names_the_remedy(frames, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    options = [frames] if name == "before_after" else []
    with pytest.raises(ImportError, match=r"pictures need matplotlib.*pip install '\.\[plot\]'"):
        getattr(frames.autowisp.plot, name)(*options)


@pytest.mark.parametrize(
    ("name", "planes"),
    [("flags", 2), ("noise", 3), ("histogram", 2), ("blink", 2)],
)
def test_only_the_frames_that_are_drawn_are_computed(frames, name, planes):
    read = []

    def opened(block, block_info=None):
        read.append(block_info[0]["array-location"][0][0])
        return block

    lazy = frames.copy()
    for plane in ("image", "variance", "mask"):
        blocks = da.from_array(frames[plane].values, chunks=(1, 1, -1, -1))
        lazy[plane] = frames[plane].copy(data=blocks.map_blocks(opened, dtype=blocks.dtype))
    chosen = {"frames": [1]} if name == "blink" else {"frame": 1}
    found = getattr(lazy.autowisp.plot, name)(**chosen)
    if name == "blink":
        found._repr_html_()
    assert read == [1] * planes
    assert all(one.chunks is not None for one in lazy.data_vars.values())


# ---------------------------------------------------------------------- flags, before and after


def test_flags_are_drawn_in_colour_over_a_pale_negative(frames):
    mask = np.zeros(frames["mask"].shape, "u1")
    mask[0, 0, 3, 4] = HOT
    axes = drawn(frames.assign(mask=frames["mask"].copy(data=mask)).autowisp.plot.flags())
    image, overlay = axes.images
    assert (image.get_cmap().name, image.get_alpha() < 0.5) == ("gray_r", True)
    assert tuple(overlay.get_array()[3, 4]) == to_rgba(FLAGS[Flag.HOT][1])
    assert labels(axes) == ["1 hot (0.021 %)"]


def test_where_nothing_is_flagged_the_legend_states_so(frames):
    axes = drawn(frames.autowisp.plot.flags())
    assert axes.get_legend().get_title().get_text() == "0 pixels are marked (0 %)"
    with pytest.raises(SchemaError, match="there is no mask"):
        frames.drop_vars("mask").autowisp.plot.flags()


def test_before_stands_beside_after(frames):
    raw = frames.assign(image=frames["image"] + 1000)
    before, after = drawn(frames.autowisp.plot.before_after(raw, stretch="linear"))
    assert [axes.get_title() for axes in (before, after)] == ["before", "after"]
    assert before.images[0].get_clim()[0] - after.images[0].get_clim()[0] == pytest.approx(1000)


# ---------------------------------------------------------------------- noise


def test_the_noise_of_right_frames_lies_on_the_line():
    axes = drawn(sky(np.linspace(50, 3000, 480)[None], shape=(200, 480)).autowisp.plot.noise())
    points, line = axes.get_lines()
    assert labels(axes) == ["stated", "scatter", "read noise and light"]
    level, found = points.get_data()
    assert level.size > 10
    ratio = found / (level / 2 + 9)
    assert np.median(ratio) == pytest.approx(1, abs=0.05)
    assert (abs(ratio - 1) < 0.4).all()
    level, model = line.get_data()
    np.testing.assert_allclose(model, level / 2 + 9)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_the_noise_of_a_mosaic_is_that_of_pixels_of_one_color():
    colors = sky(np.where(np.arange(80) % 2, 100, 900)[None])
    axes = drawn(colors.autowisp.plot.night("noise"))
    assert (axes.get_lines()[0].get_ydata() < np.sqrt(900 / 2 + 9)).all()


def test_noise_needs_a_variance_and_leaves_flagged_pixels_out(frames):
    mask = np.full(frames["mask"].shape, HOT, "u1")
    axes = drawn(frames.assign(mask=frames["mask"].copy(data=mask)).autowisp.plot.noise())
    assert not axes.get_lines()
    with pytest.raises(SchemaError, match="there is no variance; calibrate"):
        frames.drop_vars("variance").autowisp.plot.noise()


# ---------------------------------------------------------------------- histogram


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_the_histogram_counts_each_pixel_once(dtype):
    image = np.random.default_rng(2).normal(1000, 9, (40, 50)).astype(dtype)
    mask = np.zeros(image.shape, "u1")
    image[0, 0], mask[0, :7] = 60_000, HOT
    axes = drawn(frame_set(image, mask=mask).autowisp.plot.histogram())
    assert axes.get_xscale() == "symlog"
    for steps, number in zip(axes.patches, (image.size - 7, 7), strict=True):
        density, edges, _ = steps.get_data()
        assert np.nansum(density * np.diff(edges)) == pytest.approx(number)
    assert labels(axes)[1:] == ["flagged"]


def test_channels_of_a_pattern_have_their_colours():
    raw = aw.simulate.Night(shape=(16, 24), channels="RGGB").objects(1)
    axes = drawn(raw.autowisp.plot.histogram())
    assert to_hex(axes.patches[0].get_edgecolor()).upper() == VERMILLION
    assert [label.split(":")[0] for label in labels(axes)] == ["R", "G1", "G2", "B"]


@pytest.mark.parametrize("value", [7.0, np.nan])
def test_odd_frames_have_a_histogram_too(value):
    drawn(frame_set(np.full((4, 5), value)).autowisp.plot.histogram())


# ---------------------------------------------------------------------- night


def test_the_course_of_a_night_is_drawn_against_time(frames):
    level, noise, temperature, pointing = drawn(frames.autowisp.plot.night())
    np.testing.assert_allclose(level.get_lines()[0].get_ydata(), 100, atol=1)
    np.testing.assert_allclose(noise.get_lines()[0].get_ydata(), np.sqrt(59), rtol=0.1)
    assert temperature.get_lines()[0].get_ydata().tolist() == [-9, -8, -7]
    east, north = (line.get_ydata() for line in pointing.get_lines())
    np.testing.assert_allclose(east, [3, -3, 0], atol=1e-6)
    np.testing.assert_allclose(north, [0, 0, 60], atol=1e-6)
    assert pointing.get_xlabel() == "time [UTC]"


def test_sets_of_a_night_are_drawn_in_colours_and_without_level_no_pixel_is_read(frames):
    lazy = frames.assign(image=frames["image"].copy(data=unreadable(frames["image"].shape)))
    tree = xr.DataTree.from_dict({"/raw/V": lazy, "/raw/R": lazy.drop_vars(["ra", "dec"])})
    axes = drawn(tree.autowisp.plot.night("temperature"))
    assert labels(axes) == ["V", "R"]
    with pytest.raises(SchemaError, match="no frames in this tree"):
        xr.DataTree().autowisp.plot.night()


def test_flagged_pixels_and_unknown_quantities_take_no_part(frames):
    bare = frames.drop_vars(["time", "ra", "dec", "temperature"])
    mask = bare["mask"].copy(data=np.full(bare["mask"].shape, HOT, "u1"))
    level, noise = drawn(bare.assign(mask=mask).autowisp.plot.night())
    assert np.isnan(level.get_lines()[0].get_ydata()).all()
    assert noise.get_xlabel() == "frame, in the order given"
    with pytest.raises(ValueError, match="there is no seeing, only level, noise"):
        bare.autowisp.plot.night("seeing")
    with pytest.raises(ValueError, match="pointing: not known of any frame"):
        bare.autowisp.plot.night("pointing")


# ---------------------------------------------------------------------- blink


def test_frames_blink_in_the_order_asked_for(frames):
    blinking = frames.autowisp.plot.blink(["object-2", 0])
    page = blinking._repr_html_()
    assert page.count("data:image/png") == 2
    names = [shown[1].get_text() for shown in blinking._framedata]
    assert names == ["object-2", "object-0"]


def test_frames_blink_on_axes_that_are_given(frames):
    _, given = plt.subplots()
    frames.autowisp.plot.blink([0], ax=given).to_jshtml()
    assert given.images
    for options, message in (({"frames": []}, "no frame"), ({"seconds": 0}, "positive number")):
        with pytest.raises(ValueError, match=message):
            frames.autowisp.plot.blink(**options)


def test_channels_of_a_camera_with_two_are_chosen_by_name():
    ds = frame_set(np.ones((1, 2, 5, 7)), camera=Camera(channels=TWO_CHANNELS))
    ds["image"][0, 1] = 5.0
    axes = drawn(ds.autowisp.plot.night("level", "B"))
    assert axes.get_lines()[0].get_ydata().tolist() == [5.0]

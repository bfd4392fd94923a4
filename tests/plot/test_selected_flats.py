import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

import autowisp_xr as aw
from autowisp_xr import SchemaError, plot
from tests.plot.tables import NAMES, RESIDUAL, parabola, planes, table


def drawn(figure):
    """Draw it, so that whatever matplotlib would warn of is an error."""
    FigureCanvasAgg(figure).draw()
    return figure


def axes_of(figure, label):
    (found,) = [axes for axes in figure.axes if axes.get_ylabel().startswith(label)]
    return found


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def legend(figure):
    part = figure.subfigs[0] if figure.subfigs else figure
    return [text.get_text() for text in part.legends[0].get_texts()]


def pictures(figure):
    return [image for axes in figure.axes for image in axes.images]


def points(axes):
    return np.concatenate([np.asarray(found.get_offsets()) for found in markers(axes)])


def markers(axes):
    return [
        found for found in axes.collections if len(found.get_offsets()) and found.get_sizes().size
    ]


def test_the_legend_counts_the_classes_and_states_which_are_not_in_the_plot():
    assert legend(drawn(plot.flats(table()))) == [
        "fit: a parabola",
        f"± 5 residuals of {RESIDUAL:g} ADU$^2$",
        "2 high",
        "1 low",
        "1 medium",
        "2 cloudy",
        "1 saturated (not drawn)",
        "1 colocated (not drawn)",
    ]


def test_the_legend_states_how_many_of_a_class_are_not_in_the_plot():
    frames = table(kinds=["high", "medium", "medium"], mean=[2e4, 1e4, np.nan], off=[0.0] * 3)
    assert legend(drawn(plot.flats(frames)))[2:] == ["1 high", "2 medium (1 not drawn)"]


def test_every_frame_with_a_stamp_is_a_point_of_variance_against_mean():
    frames = table()
    axes = axes_of(drawn(plot.flats(frames)), "variance")
    expected = np.column_stack([frames["mean"][:6, 0], frames["variance"][:6, 0]])
    found = points(axes)
    np.testing.assert_allclose(found[found[:, 0].argsort()], expected[expected[:, 0].argsort()])


def test_classes_differ_in_colour_and_in_marker():
    axes = axes_of(drawn(plot.flats(table())), "variance")
    colours = [to_hex(found.get_facecolor()[0]) for found in markers(axes)]
    shapes = [found.get_paths()[0].vertices.tobytes() for found in markers(axes)]
    assert len(set(colours)) == len(set(shapes)) == 4


def test_the_fit_is_drawn_with_the_band_beyond_which_frames_are_cloudy():
    axes = axes_of(drawn(plot.flats(table())), "variance")
    mean, fit = axes.lines[0].get_data()
    np.testing.assert_allclose(fit, parabola(mean))
    assert (mean.min(), mean.max()) == (10e3, 30e3)
    (band,) = [found for found in axes.collections if found.get_label().startswith("±")]
    corners = band.get_paths()[0].vertices
    distance = corners[:, 1] - parabola(corners[:, 0])
    np.testing.assert_allclose(np.abs(distance), 5 * RESIDUAL, rtol=1e-9)


def test_a_wide_band_does_not_make_the_points_small():
    narrow = axes_of(plot.flats(table()), "variance").get_ylim()
    wide = axes_of(plot.flats(table(cloudy_frame_threshold=1e4)), "variance").get_ylim()
    assert narrow == wide


def test_below_stands_how_far_each_frame_lies_from_the_fit():
    axes = axes_of(drawn(plot.flats(table())), "distance")
    np.testing.assert_allclose(sorted(points(axes)[:, 1]), [-1, 0, 0.5, 1, 2, 20], atol=1e-9)
    outside = [y for _, y in points(axes) if abs(y) > 5]
    assert len(outside) == 1


def test_frames_far_off_do_not_hide_the_others():
    frames = table(off=[1.0, -1, 0.5, 0, 2000, 2, np.nan, np.nan])
    axes = axes_of(drawn(plot.flats(frames)), "distance")
    assert axes.get_yscale() == "symlog"
    assert {-5.0, 0.0, 5.0, 50.0} <= set(axes.get_yticks())
    assert axes_of(plot.flats(table(off=[0.0] * 8)), "distance").get_yscale() == "linear"


def test_structure_left_after_matching_is_shown_in_per_cent():
    axes = axes_of(drawn(plot.flats(table())), "structure")
    np.testing.assert_allclose(sorted(points(axes)[:, 1]), [0.2, 0.3, 0.4, 8.0])


def test_rounding_is_no_structure():
    frames = table(deviation=[1e-17, 0.002, np.nan, 0.004, np.nan, 0.08, np.nan, np.nan])
    axes = axes_of(drawn(plot.flats(frames)), "structure")
    assert axes.get_yscale() == "log"
    assert points(axes)[:, 1].min() == 1e-3


def test_the_levels_are_dashed_lines_with_their_values():
    figure = drawn(plot.flats(table()))
    axes = axes_of(figure, "variance")
    dashed = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed == [15e3, 22e3]
    assert {"low < 15000", "high > 22000"} <= set(words(figure))


def test_levels_that_were_not_asked_for_are_not_drawn():
    figure = drawn(plot.flats(table(min_high_mean=None, max_low_mean=None)))
    assert not any(word.startswith(("low", "high")) for word in words(figure))


def test_rejected_frames_are_named_where_they_were_rejected():
    figure = drawn(plot.flats(table()))
    for label, name in (("distance", "e"), ("structure", "f")):
        assert [text.get_text() for text in axes_of(figure, label).texts] == [name]


def test_names_stand_on_the_side_where_there_is_room():
    means = [10e3, 16e3, 20e3, 21e3, 29e3, 30e3]
    frames = table(kinds=["high", *["cloudy"] * 4, "high"], mean=means, off=[0.0, *[9.0] * 4, 0.0])
    texts = axes_of(drawn(plot.flats(frames)), "distance").texts
    assert [text.get_ha() for text in texts] == ["right", "right", "left", "right"]
    assert [text.xyann[1] for text in texts] == [7, -7, 7, -7]


def test_many_rejected_frames_are_not_named():
    kinds = ["cloudy"] * 20
    figure = drawn(
        plot.flats(
            table(kinds=kinds, mean=np.linspace(1e4, 2e4, 20), off=[9.0] * 20, deviation=[0.1] * 20)
        )
    )
    assert not {f"n{i}" for i in range(20)} & set(words(figure))


@pytest.mark.parametrize(
    ("first", "scale"), [(300.0, "log"), (2000.0, "linear"), (0.0, "linear"), (-5.0, "linear")]
)
def test_levels_of_some_decades_are_drawn_on_a_log_scale(first, scale):
    frames = table(mean=[30e3, 28e3, 20e3, first, 25e3, 29e3, np.nan, np.nan], deviation=[0.01] * 8)
    axes = axes_of(drawn(plot.flats(frames)), "variance")
    assert axes.get_xscale() == axes.get_yscale() == scale


def test_a_variance_far_above_the_fit_does_not_make_it_a_flat_line():
    frames = table(
        off=[1.0, -1, 0.5, 0, 9000, 2, np.nan, np.nan],
        mean=[3e4, 2e4, 15e3, 4e3, 1e4, 2e4, np.nan, np.nan],
    )
    axes = axes_of(drawn(plot.flats(frames)), "variance")
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")


def test_a_name_is_taken_literally():
    frames = table().assign_coords(frame=[f"${name}_1$" for name in NAMES])
    images = planes(np.arange(8.0)).assign_coords(frame=frames["frame"])
    figure = drawn(plot.flats(frames, images))
    assert titles(figure)[0].startswith("$e_1$\n")


def test_rejected_frames_are_shown_the_cloudy_ones_first():
    images = planes(np.arange(8.0))
    kinds = ["saturated", *table()["class"].values.tolist()[1:]]
    frames = table(kinds=kinds)
    figure = drawn(plot.flats(frames, images))
    shown = [title.split("\n")[0] for title in titles(figure)]
    assert shown == ["e", "f", "a", "g"] == plot.rejected(frames)
    assert [image.get_array()[3, 3] for image in pictures(figure)] == [4.0, 5.0, 0.0, 6.0]


def test_no_more_than_most_frames_are_shown_and_the_heading_states_of_how_many():
    figure = drawn(plot.flats(table(), planes(np.arange(8.0)), most=2))
    assert len(pictures(figure)) == 2
    assert figure.subfigs[1].get_suptitle() == "What do the rejected look like? (2 of 3)"
    assert not drawn(plot.flats(table(), planes(np.arange(8.0)), most=0)).subfigs


@pytest.mark.parametrize("number", [1, 4, 5, 9])
def test_any_number_of_thumbnails_finds_its_place(number):
    kinds = ["cloudy"] * number
    names = [f"n{i}" for i in range(number)]
    frames = table(
        kinds=kinds,
        mean=np.linspace(1e4, 2e4, number),
        off=[9.0] * number,
        deviation=[0.1] * number,
    )
    images = planes(np.arange(number), names)
    figure = drawn(plot.flats(frames, images, 0.01 * images, most=9))
    assert len(pictures(figure)) == 2 * number
    assert len(drawn(plot.flats(frames, images, most=9)).axes) == 3 + number + number % 2 * (
        number > 4
    )


def test_maps_of_clouds_share_one_scale_in_per_cent():
    maps = planes([0, 0, 0, 0, 0.03, -0.2, 0.9, 0])
    figure = drawn(plot.flats(table(), planes(np.arange(8.0)), maps))
    frames, clouds = pictures(figure)[::2], pictures(figure)[1::2]
    # a map of the saturated frame would state nothing
    assert (len(frames), len(clouds)) == (3, 2)
    assert [image.get_clim() for image in clouds] == [(-20.0, 20.0)] * 2
    assert clouds[1].get_array()[3, 3] == -20.0
    bars = [axes for axes in figure.axes if axes.get_xlabel().startswith("left after matching")]
    assert [axes.get_xlabel() for axes in bars] == [
        "left after matching to the reference [%], lines at ± 5 %"
    ]


def test_lines_on_a_map_state_where_the_limit_is():
    maps = planes([0, 0, 0, 0, 0.03, -0.2, 0.9, 0])
    figure = drawn(plot.flats(table(), planes(np.arange(8.0)), maps))
    contours = [len(image.axes.collections) for image in pictures(figure)[1::2]]
    assert contours == [0, 1]


def test_a_frame_without_a_map_stands_alone():
    maps = planes([0.03], ["e"])
    figure = drawn(plot.flats(table(), planes(np.arange(8.0)), maps))
    assert len(pictures(figure)) == 4


def test_a_frame_without_a_number_states_so():
    images, maps = planes(np.full(8, np.nan)), planes(np.full(8, np.nan))
    images[..., 0, 0] = maps[..., 0, 0] = np.nan
    figure = drawn(plot.flats(table(), images, maps))
    assert words(figure).count("no pixel is a number") == 3


def test_frames_of_one_row_can_be_shown():
    images = planes(np.arange(8.0))[:, :, :1]
    assert len(pictures(drawn(plot.flats(table(), images, 0.1 * images)))) == 5


def test_the_channel_asked_for_is_drawn_and_named():
    frames = table(channels=("R", "G"))
    frames["mean"][:, 1] *= 0.5
    figure = drawn(plot.flats(frames, channel="G"))
    assert points(axes_of(figure, "variance"))[:, 0].max() == 15e3
    assert figure.get_suptitle() == "Which of 8 flats are good? Channel G"
    assert plot.flats(frames).get_suptitle().endswith("Channel R")


def test_channels_that_choose_apart_show_what_each_rejected():
    frames = table(channels=("R", "G"))
    for name in ("class", "reason"):
        frames[name] = frames[name].expand_dims(channel=frames["channel"], axis=1).copy()
    frames["class"][0, 1] = "cloudy"
    assert plot.rejected(frames) == ["e", "f", "g"]
    assert plot.rejected(frames, channel="G") == ["a", "e", "f", "g"]


def test_without_variances_the_levels_are_drawn_in_order():
    frames = table()[["class", "reason", "mean"]]
    figure = drawn(plot.flats(frames))
    assert figure.get_suptitle() == "How bright are 8 flats?"
    np.testing.assert_array_equal(
        sorted(points(axes_of(figure, "mean")).tolist()),
        [[i + 1, mean] for i, mean in enumerate(frames["mean"].values[:6, 0])],
    )


def test_when_nothing_has_a_level_the_picture_states_so_and_shows_the_frames():
    frames = table(
        kinds=["saturated"] * 3,
        mean=[np.nan] * 3,
        off=[np.nan] * 3,
        deviation=[np.nan] * 3,
        residual=np.nan,
    )
    figure = drawn(plot.flats(frames, planes(np.arange(3.0), ["n0", "n1", "n2"])))
    assert "no frame has a level to draw" in words(figure)
    assert legend(figure) == ["3 saturated (not drawn)"]
    assert len(pictures(figure)) == 3


def test_one_frame_is_drawn_without_a_fit():
    frames = table(kinds=["high"], mean=[2e4], off=[0.0], deviation=[np.nan], residual=np.nan)
    frames["fit_coefficients"][:] = np.nan
    figure = drawn(plot.flats(frames))
    assert figure.get_suptitle() == "Is the flat good?"
    assert len(figure.axes) == 1
    assert legend(figure) == ["1 high"]


def test_frames_that_define_their_fit_have_no_band():
    figure = drawn(plot.flats(table(residual=0.0)))
    assert legend(figure)[:2] == ["fit: a parabola", "2 high"]


def test_on_a_cloudy_night_there_is_no_band_and_the_legend_states_why():
    figure = drawn(plot.flats(table(cloudy_night_threshold=39.0)))
    assert legend(figure)[:2] == ["fit: a parabola, too poor: residual 40 ADU$^2$", "2 high"]


def test_a_class_of_its_own_is_drawn_too():
    frames = table(kinds=["odd"] * 3, mean=[1e4, 2e4, 3e4], off=[0.0] * 3, deviation=[0.0] * 3)
    figure = drawn(plot.flats(frames))
    assert "3 odd" in legend(figure)
    assert len(points(axes_of(figure, "variance"))) == 3


def test_what_is_drawn_stays_as_it_was():
    frames, images, maps = table(), planes(np.arange(8.0)), planes(np.full(8, 0.1))
    before = [one.copy(deep=True) for one in (frames, images, maps)]
    plot.flats(frames, images, maps)
    for one, other in zip((frames, images, maps), before, strict=True):
        assert one.identical(other)


def test_pyplot_knows_nothing_of_the_figure_and_notebooks_show_it():
    open_before = plt.get_fignums()
    figure = plot.flats(table())
    assert plt.get_fignums() == open_before
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_selection_of_simulated_flats_shows_its_cloudy_frame_off_the_fit():
    night = aw.simulate.Night(shape=(96, 128), seed=3, cosmic_rays=0)
    raw = night.flat(14, level=np.linspace(1e4, 3e4, 14), clouds={6: 0.6})
    frames = raw.autowisp.calibrate()
    found = aw.select_flats(
        frames, aw.FlatSelection(cloudy_frame_threshold=10, min_pointing_separation=None)
    )
    assert plot.rejected(found) == ["flat-0007"]
    figure = drawn(plot.flats(found, frames["image"]))
    assert words(figure).count("flat-0007") == 1
    assert titles(figure)[0].startswith("flat-0007\ncloudy: ")


def test_without_matplotlib_the_error_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pictures need matplotlib.*pip install '\.\[plot\]'"):
        plot.flats(table())


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (5, "not a int: pass a MasterFlats or its .frames, or what"),
        (table()[["mean"]], r"the variables are \['mean'\]"),
        (table().isel(channel=0), r"over \('frame', 'power'\)"),
    ],
)
def test_what_is_no_table_of_flats_is_refused(frames, message):
    with pytest.raises(SchemaError, match=message):
        plot.flats(frames)


def test_a_channel_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no channel 'B' among 2: R, G"):
        plot.flats(table(channels=("R", "G")), channel="B")


def test_fewer_frames_than_none_are_refused():
    with pytest.raises(ValueError, match="most is a number of frames from 0 on, not -1"):
        plot.flats(table(), most=-1)

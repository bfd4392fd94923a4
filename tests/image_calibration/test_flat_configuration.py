"""What ``MasterFlatMaker`` is configured with, by whom, for how long; and what is refused."""

import copy
import functools
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import median_filter

import autowisp_xr as aw
from autowisp_xr.image_calibration import MasterFlatMaker, MasterMaker
from autowisp_xr.image_smoothing import WrapFilterAsSmoother
from tests.image_calibration.files import header_of, read_planes
from tests.image_calibration.flat_files import (
    SHAPE,
    expected_kinds,
    flat,
    is_compressed,
    kinds_of,
    maker,
    options,
    outcome,
    run,
    write_flat_set,
    write_flats,
)


@pytest.fixture
def flat_set(here):
    return write_flat_set()


def results(make, files, **call):
    """All that is made and what decided, as text, in which NaN is the same as NaN."""
    done = run(make, files, **call)
    decided = done.frames[["mean", "variance", "class", "fit_residual"]]
    return repr((outcome(done), [values.values.tolist() for values in decided.values()]))


@functools.cache
def undisturbed():
    """Results of the set of flats in the current directory, which is the same in all."""
    return results(maker(), sorted(path.name for path in Path().glob("flat*.fits")))


class TestHowItIsConfigured:
    @pytest.mark.filterwarnings("ignore:no value among 12")
    def test_nothing_need_be_given(self):
        make = MasterFlatMaker()
        assert make.stamp_statistics_config == make.stamp_select_config == {}
        assert make.master_stack_config == {}
        assert make.large_scale_smoother is make.cloud_check_smoother is None
        result = make(write_flats([flat("high", n) for n in range(12)]), "high.fits", "low.fits")
        # nothing is tested
        assert result.success == {"high": True, "low": False}
        assert len(result["high"]) == 12
        assert is_compressed("high.fits")
        images = [read_planes(file).image for file in result["high"]]
        expected = aw.iterative_rejection_average(
            np.array([image / image.mean() for image in images]), 5.0
        )[0]
        # sixteenths of the noise of a row
        assert np.abs(read_planes("high.fits").image - expected).max() < 0.1 / 16

    def test_attributes_hold_what_was_given(self):
        given = options()
        make = maker()
        for name in ("stamp_statistics_config", "stamp_select_config", "master_stack_config"):
            assert getattr(make, name).keys() == given[name].keys()
        assert make.stamp_select_config == given["stamp_select_config"]
        assert isinstance(make, MasterMaker)
        assert make._master_large_scale == {}

    def test_the_reference_stays_for_the_hook(self, flat_set):
        make = maker()
        result = run(make, flat_set)
        reference = make._master_large_scale
        assert sorted(reference) == ["header", "mask", "stdev", "values"]
        assert reference["header"]["NUMFCOMB"] == len(result["high"]) + 1
        image = read_planes(result["high"][0]).image
        prepared = make.prepare_for_stacking(image)
        assert prepared.mean() == pytest.approx(1)
        assert prepared.dtype == np.float64
        cloudy = read_planes("flat17.fits").image
        assert make.prepare_for_stacking(cloudy) is None
        assert maker().prepare_for_stacking(image) is image

    def test_stamps_may_be_measured_otherwise_and_what_is_none_stays(self, flat_set):
        make = maker()
        before = copy.copy(make.stamp_statistics_config)
        make.configure_stamp_statistics()
        assert make.stamp_statistics_config == before
        make.configure_stamp_statistics(fraction=0.25, average=np.nanmedian, max_iter=np.inf)
        assert make.stamp_statistics_config == {
            **before,
            **{"fraction": 0.25, "average": np.nanmedian, "max_iter": np.inf},
        }
        found = make._get_stamp_statistics(list(flat_set))
        assert found.dtype.names == ("mean", "variance", "num_averaged")
        assert found["num_averaged"].max() <= SHAPE[0] * SHAPE[1] / 16
        assert np.isnan(found["mean"]).sum() == 1

    @pytest.mark.parametrize("average", ["mean", "nanmean", np.mean, np.nanmean])
    def test_averages_have_names_and_functions(self, flat_set, average):
        make = maker(stamp_statistics_config={"average": average, "max_iter": np.int64(3)})
        found = make._get_stamp_statistics(list(flat_set))
        expected = maker()._get_stamp_statistics(list(flat_set))
        np.testing.assert_array_equal(found["mean"], expected["mean"])

    @pytest.mark.parametrize(
        ("name", "kind", "becomes"),
        [
            ("max_saturated_fraction", "saturated", "high"),
            ("cloudy_frame_threshold", "noisy", "high"),
            ("min_high_mean", "medium", "high"),
            ("max_low_mean", "low", "medium"),
        ],
    )
    def test_a_test_of_stamps_is_switched_off_with_none(self, flat_set, name, kind, becomes):
        make = maker()
        make.configure_stamp_selection(**{name: None})
        assert make.stamp_select_config == {**options()["stamp_select_config"], name: None}
        found = kinds_of(run(make, flat_set))
        assert {found[file] for file in flat_set if flat_set[file] == kind} == {becomes}
        # and so in the constructor and in a call, and for what is not mentioned at all
        without = {k: v for k, v in options()["stamp_select_config"].items() if k != name}
        for other in (
            maker(stamp_select_config={name: None}),
            MasterFlatMaker(**{**options(), "stamp_select_config": without}),
        ):
            assert kinds_of(run(other, flat_set)) == found
        assert kinds_of(run(maker(), flat_set, stamp_select_config={name: None})) == found

    def test_a_cloudy_night_is_not_looked_for_without_a_threshold(self, flat_set):
        make = maker(stamp_select_config={"cloudy_night_threshold": 1.0})
        make.configure_stamp_selection(cloudy_night_threshold=None)
        assert kinds_of(run(make, flat_set)) == expected_kinds(flat_set)

    def test_what_is_not_given_stays(self, flat_set):
        make = maker()
        make.configure_stamp_selection(min_high_mean=1e4)
        assert make.stamp_select_config == {
            **options()["stamp_select_config"],
            "min_high_mean": 1e4,
        }
        make.configure_stamp_selection()
        assert make.stamp_select_config["min_high_mean"] == 1e4

    @pytest.mark.parametrize(
        ("name", "kind", "becomes"),
        [
            ("min_pointing_separation", "colocated", "high"),
            ("large_scale_deviation_threshold", "cloudy", "high"),
        ],
    )
    def test_a_test_of_frames_is_switched_off_with_none(self, flat_set, name, kind, becomes):
        found = kinds_of(run(maker(master_stack_config={name: None}), flat_set))
        assert {found[file] for file in flat_set if flat_set[file] == kind} == {becomes}

    def test_smoothers_may_be_left_out(self, flat_set):
        make = maker(large_scale_smoother=None, cloud_check_smoother=None)
        result = run(make, flat_set)
        assert result["cloudy"] == ["flat11.fits"]
        scaled = [
            np.where(mask, np.nan, image / image.mean(dtype=np.float64))
            for image, _, mask in map(read_planes, result["high"])
        ]
        values = aw.iterative_rejection_average(np.array(scaled), (2.0, -2.1), max_iter=2)[0]
        np.testing.assert_allclose(read_planes("high.fits").image, values, rtol=1e-12)

    def test_a_class_without_a_smoother_of_shapes_looks_for_clouds_all_the_same(self, flat_set):
        class Unmatched(MasterFlatMaker):
            def __init__(self, **given):
                super().__init__(**{**given, "large_scale_smoother": None})

        # slopes of the frames, which nothing takes away, count as clouds
        config = {"large_scale_deviation_threshold": 0.16}
        result = run(maker(Unmatched, master_stack_config=config), flat_set)
        assert result["cloudy"] == ["flat11.fits", "flat17.fits"]
        assert result.success == {"high": True, "low": True}

    @pytest.mark.parametrize(
        ("group", "change"),
        [
            ("stamp_statistics_config", {"fraction": 0.25}),
            ("stamp_statistics_config", {"average": "median"}),
            ("stamp_statistics_config", {"outlier_threshold": (2, -2)}),
            ("stamp_statistics_config", {"max_iter": 0}),
            ("stamp_statistics_config", {"smoother": WrapFilterAsSmoother(median_filter, size=9)}),
            ("stamp_select_config", {"max_saturated_fraction": None}),
            ("stamp_select_config", {"var_mean_fit_threshold": 1.0}),
            ("stamp_select_config", {"var_mean_fit_iterations": 0}),
            ("stamp_select_config", {"cloudy_night_threshold": 1.0}),
            ("stamp_select_config", {"cloudy_frame_threshold": None}),
            ("stamp_select_config", {"min_high_mean": 14e3}),
            ("stamp_select_config", {"max_low_mean": 2.4e3}),
            ("master_stack_config", {"min_pointing_separation": None}),
            ("master_stack_config", {"large_scale_deviation_threshold": None}),
            ("master_stack_config", {"min_high_combine": 14}),
            ("master_stack_config", {"min_low_combine": 7}),
            ("master_stack_config", {"large_scale_stack_options": {"average_func": "mean"}}),
            ("master_stack_config", {"master_stack_options": {"average_func": "mean"}}),
            ("master_stack_config", {"master_stack_options": {"exclude_mask": ()}}),
            ("master_stack_config", {"master_stack_options": {"min_valid_values": 7}}),
            ("master_stack_config", {"master_stack_options": {"max_iter": 0}}),
        ],
        ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value)),
    )
    def test_an_option_of_a_call_holds_for_that_call_and_changes_nothing(
        self, flat_set, group, change
    ):
        make = maker()
        groups = ("stamp_statistics_config", "stamp_select_config", "master_stack_config")
        attributes = {name: copy.deepcopy(_comparable(getattr(make, name))) for name in groups}
        given = copy.deepcopy(_comparable(change))

        during = results(make, flat_set, **{group: change})
        assert during != undisturbed()
        assert results(make, flat_set) == undisturbed()
        assert {name: _comparable(getattr(make, name)) for name in groups} == attributes
        assert _comparable(change) == given
        if "stack_options" not in str(change):
            assert results(maker(**{group: change}), flat_set) == during

    def test_options_of_a_stack_in_a_call_add_to_those_of_the_object(self, flat_set):
        make = maker()
        run(make, flat_set, master_stack_config={"master_stack_options": {"average_func": "mean"}})
        header = header_of("high.fits")
        assert (header["AVRGFUNC"], header["OUTLTHRS"]) == ("nanmean", "(2.0, -2.1)")

    def test_the_dictionaries_of_the_caller_are_not_kept(self):
        given = options()
        make = MasterFlatMaker(**given)
        given["stamp_select_config"]["min_high_mean"] = 1.0
        assert make.stamp_select_config["min_high_mean"] == 6e3


def _comparable(config):
    """A group of options, in which smoothers, which have no equality, are the objects they are."""
    return {
        name: id(value) if hasattr(value, "smooth") else copy.deepcopy(value)
        for name, value in config.items()
    }


OVERLAP = {"min_high_mean": 3e3, "max_low_mean": 6e3}


class TestRefusals:
    def test_overlapping_levels_are_refused_everywhere(self, flat_set, here):
        message = "min_high_mean 3000 is below max_low_mean 6000"
        with pytest.raises(ValueError, match=message):
            maker(stamp_select_config=OVERLAP)
        make = maker()
        with pytest.raises(ValueError, match=message):
            make.configure_stamp_selection(**OVERLAP)
        with pytest.raises(ValueError, match=message):
            run(make, flat_set, stamp_select_config=OVERLAP)
        with pytest.raises(ValueError, match="min_high_mean 2000 is below max_low_mean 3000"):
            make.configure_stamp_selection(min_high_mean=2e3)
        # none of it stays
        assert make.stamp_select_config == options()["stamp_select_config"]
        assert not (here / "high.fits").exists()

    def test_levels_that_touch_do_not_overlap(self, flat_set):
        call = {"min_high_mean": 4e3, "max_low_mean": 4e3}
        found = kinds_of(run(maker(), flat_set, stamp_select_config=call))
        assert "medium" not in found.values()

    def test_both_levels_may_move_at_once(self, flat_set):
        call = {"min_high_mean": 2e3, "max_low_mean": 1e3}
        result = run(maker(), flat_set, stamp_select_config=call)
        assert not result["low"]
        assert result.success["high"]

    @pytest.mark.parametrize(
        ("group", "option", "near"),
        [
            ("stamp_statistics_config", "fractoin", "fraction"),
            ("stamp_select_config", "min_high_meen", "min_high_mean"),
            ("master_stack_config", "min_high_combined", "min_high_combine"),
        ],
    )
    def test_an_option_that_is_none_is_refused_with_those_near(self, flat_set, group, option, near):
        match = rf"'{option}' is no option.*near it are.*{near}"
        with pytest.raises(TypeError, match=match):
            maker(**{group: {option: 1}})
        with pytest.raises(TypeError, match=match):
            run(maker(), flat_set, **{group: {option: 1}})

    @pytest.mark.parametrize("stack", ["large_scale_stack_options", "master_stack_options"])
    def test_so_is_an_option_of_a_stack(self, flat_set, stack):
        with pytest.raises(TypeError, match=r"'average' is no stacking option.*average_func"):
            maker(master_stack_config={stack: {"average": "mean"}})

    @pytest.mark.parametrize(
        ("group", "change", "named"),
        [
            ("stamp_statistics_config", {"fraction": 0}, "fraction"),
            ("stamp_statistics_config", {"fraction": 1.5}, "1.5"),
            ("stamp_statistics_config", {"average": "mode"}, "mode"),
            ("stamp_statistics_config", {"average": "quantile:0.3"}, "quantile:0.3"),
            ("stamp_statistics_config", {"max_iter": -1}, "max_iter"),
            ("stamp_statistics_config", {"max_iter": 1.5}, "1.5"),
            ("stamp_statistics_config", {"outlier_threshold": 0}, "threshold"),
            ("stamp_statistics_config", {"outlier_threshold": (2, 3)}, "threshold"),
            ("stamp_select_config", {"max_saturated_fraction": -0.1}, "-0.1"),
            ("stamp_select_config", {"var_mean_fit_threshold": (1, 1)}, "threshold"),
            ("stamp_select_config", {"var_mean_fit_iterations": 0.5}, "var_mean_fit_iterations"),
            ("stamp_select_config", {"cloudy_night_threshold": np.nan}, "cloudy_night_threshold"),
            ("stamp_select_config", {"min_high_mean": np.inf}, "min_high_mean"),
            ("master_stack_config", {"min_high_combine": 0}, "min_high"),
            ("master_stack_config", {"min_low_combine": 2.5}, "2.5"),
            ("master_stack_config", {"min_pointing_separation": -1}, "min_pointing_separation"),
            ("master_stack_config", {"master_stack_options": {"compress": -3}}, "-3"),
            (
                "master_stack_config",
                {"large_scale_stack_options": {"outlier_threshold": 0}},
                "threshold",
            ),
            ("master_stack_config", {"master_stack_options": {"average_func": "mode"}}, "mode"),
            (
                "master_stack_config",
                {"master_stack_options": {"exclude_mask": ("SATURATD",)}},
                "SATURATD",
            ),
        ],
        ids=str,
    )
    def test_values_that_cannot_be_are_refused_by_constructor_and_call(
        self, flat_set, here, group, change, named
    ):
        with pytest.raises(ValueError, match=named):
            maker(**{group: change})
        with pytest.raises(ValueError, match=named):
            run(maker(), flat_set, **{group: change})
        assert not (here / "high.fits").exists()

    @pytest.mark.parametrize("name", ["large_scale_smoother", "cloud_check_smoother"])
    def test_what_is_no_smoother_is_refused(self, name):
        with pytest.raises(TypeError, match=rf"{name} is a smoother.*median_filter"):
            maker(**{name: median_filter})

    def test_frames_of_two_shapes_are_refused_naming_both(self, flat_set, here):
        (odd,) = write_flats([flat("high", 1, (40, 64))], name="odd.fits")
        with pytest.raises(aw.ImageMismatchError, match=r"(?s)flat00\.fits.*40 x 64: odd\.fits"):
            run(maker(), [*flat_set, odd])
        assert not (here / "high.fits").exists()

    @pytest.mark.parametrize(("keyword", "value"), [("IMAGETYP", "object"), ("CLRCHNL", "B")])
    def test_frames_of_two_kinds_are_refused_naming_both(self, flat_set, here, keyword, value):
        (odd,) = write_flats([flat("high", 1)], cards=[{keyword: value}], name="odd.fits")
        with pytest.raises(
            aw.ImageMismatchError, match=rf"odd\.fits has {keyword} '{value}', flat00\.fits has"
        ):
            run(maker(), [*flat_set, odd])
        assert not (here / "high.fits").exists()

    def test_a_file_named_twice_is_refused(self, flat_set):
        with pytest.raises(ValueError, match=r"names 'flat03\.fits' more than once"):
            run(maker(), [*flat_set, "flat03.fits"])

    def test_a_single_name_in_place_of_a_list_is_refused(self, flat_set):
        with pytest.raises(TypeError, match="list"):
            maker()("flat00.fits", "high.fits", "low.fits")

    def test_a_file_that_is_not_there_is_named(self, flat_set):
        with pytest.raises(FileNotFoundError, match=r"nowhere\.fits"):
            run(maker(), [*flat_set, "nowhere.fits"])

    def test_a_keyword_to_average_that_frames_do_not_have_is_refused(self, flat_set, here):
        config = {"master_stack_options": {"add_averaged_keywords": ["NOTHERE"]}}
        with pytest.raises(aw.HeaderError, match="NOTHERE"):
            run(maker(), flat_set, master_stack_config=config)
        assert not (here / "high.fits").exists()

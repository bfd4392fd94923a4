"""``compare_masters``: by hand, what is left out, what is refused, and what it states."""

import tracemalloc
import warnings

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import AutowispWarning, Camera, Flag, provenance
from autowisp_xr.measure import compare_masters, master_differences
from autowisp_xr.testing import no_compute
from tests.steps.frames import TWO_CHANNELS, frame_set, master, text

NAMES = ("image", "variance")
CHUNKS = [
    {"y": 7},
    {"x": 9, "channel": 1},
    {"y": (1, 38, 1), "x": (33, 37)},
    {"y": 1},
    {},
]


def bias(*values, variance=1.0, mask=0, **options):
    """A master of one row."""
    image = np.array(values, dtype="f4")
    plane = np.broadcast_to(np.asarray(variance, "f4"), image.shape)
    return master(image, plane, np.broadcast_to(mask, image.shape), **options)


def quiet(new, old, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AutowispWarning)
        return compare_masters(new, old, **options)


def one(result, name):
    return result[name].values.item()


# ---------------------------------------------------------------------- by hand


def test_pixels_beyond_the_threshold_by_hand():
    new = bias(10.0, 11.0, 4.0, 20.0, variance=[3.0, 3.0, 12.0, 3.0])
    old = bias(10.0, 10.0, 10.0, 10.0, variance=[1.0, 1.0, 4.0, 1.0])
    # 0, 1, -6 and 10 over 2, 2, 4 and 2
    for threshold, fraction in ((0.4, 0.75), (0.5, 0.5), (1.4, 0.5), (1.5, 0.25), (5.0, 0.0)):
        assert one(quiet(new, old, threshold=threshold), "fraction") == fraction
    result = quiet(new, old)
    assert (one(result, "number"), one(result, "ratio")) == (4, 1.0)
    assert one(result, "median_difference") == pytest.approx(0.5)
    assert one(result, "largest_large_scale") == 1.25


def test_a_flat_of_another_level_agrees():
    old = bias(0.8, 1.0, 1.2, variance=1e-4, units="1")
    new = bias(1.6, 2.0, 2.4, variance=1e-4, units="1")
    result = compare_masters(new, old)
    assert one(result, "ratio") == pytest.approx(2.0, rel=1e-6)
    assert one(result, "median_difference") == pytest.approx(0.0, abs=1e-6)
    assert one(result, "largest_large_scale") == pytest.approx(0.0, abs=1e-12)
    with pytest.warns(AutowispWarning, match=r"100 % of 3 pixels differ"):
        as_they_are = compare_masters(new, old, rescale=False, most_large_scale=2)
    assert one(as_they_are, "ratio") == 1.0
    assert one(as_they_are, "median_difference") == pytest.approx(1.0)
    assert one(as_they_are, "largest_large_scale") == pytest.approx(1.0, rel=1e-6)


def test_the_error_of_what_is_scaled_is_scaled():
    old = bias(*[1.0] * 100, variance=1e-4, units="1")
    new = old.assign(image=10 * old.image)
    new["image"][0, 0, 0] += 1.0  # s is 10.01: 0.99 over sqrt(1e-4 + s^2 1e-4) is 9.84
    for threshold, fraction in ((9.8, 0.01), (9.9, 0.0)):
        assert one(quiet(new, old, threshold=threshold), "fraction") == fraction


def test_a_dark_may_be_rescaled():
    old = bias(10.0, 20.0, 30.0)
    new = bias(20.0, 40.0, 60.0)
    result = compare_masters(new, old, rescale=True)
    assert one(result, "ratio") == 2.0
    assert one(result, "median_difference") == 0.0
    assert result["median_difference"].attrs["units"] == "adu"
    assert result.attrs["rescaled"] == 1


def test_a_master_agrees_with_itself():
    itself = bias(3.0, -1.0, 2.5)
    result = compare_masters(itself, itself)
    for name in ("fraction", "median_difference", "scatter", "largest_large_scale"):
        assert one(result, name) == 0.0
    for name in ("newly_flagged", "no_longer_flagged"):
        assert one(result, name) == 0.0


@pytest.mark.parametrize("rescale", [True, False])
def test_the_table_agrees_with_a_plain_version(pair, rescale):
    new, old = pair
    found = quiet(new, old, threshold=2.0, rescale=rescale)
    for c in range(2):
        n, v, m, o, w, k = (
            ds[name].values[c].astype("f8") for ds in pair for name in ("image", "variance", "mask")
        )
        good = (m == 0) & (k == 0)
        s = n[good].sum() / o[good].sum() if rescale else 1.0
        difference = (n - s * o)[good]
        pulls = difference / np.sqrt(v + s**2 * w)[good]
        here = found.isel(channel=c)
        assert one(here, "number") == good.sum()
        assert one(here, "ratio") == pytest.approx(s, rel=1e-13)
        assert one(here, "fraction") == (np.abs(pulls) > 2).mean()
        middle = np.median(difference)
        assert one(here, "median_difference") == pytest.approx(middle, rel=1e-9, abs=1e-12)
        assert one(here, "scatter") == pytest.approx(pulls.std(), rel=1e-9)
        assert one(here, "newly_flagged") == ((m != 0) & (k == 0)).mean()
        assert one(here, "no_longer_flagged") == ((m == 0) & (k != 0)).mean()


def test_the_cell_that_stands_out_agrees_with_a_plain_version(pair):
    new, old = pair
    new["image"][1, :, 36:] *= 1.01
    found = quiet(new, old)
    columns = (slice(0, 35), slice(35, 70))
    for c in range(2):
        n, v, o, w = (ds[name].values[c].astype("f8") for ds in pair for name in NAMES)
        good = (new["mask"].values[c] == 0) & (old["mask"].values[c] == 0)
        s = n[good].sum() / o[good].sum()
        cells = []
        for x in columns:
            here = good[:, x]
            level = s * o[:, x][here].sum()
            noise = np.sqrt((v + s**2 * w)[:, x][here].sum()) / level
            difference = abs(n[:, x][here].sum() / level - 1)
            cells.append((difference - 5 * noise, difference))
        largest = cells.index(max(cells))
        here = found.isel(channel=c)
        assert one(here, "largest_large_scale") == pytest.approx(cells[largest][1], rel=1e-9)
        # their middles, in raw pixel numbers of planes that start at (8, 16)
        assert one(here, "large_scale_y") == new.y.values[20]
        assert one(here, "large_scale_x") == new.x.values[[17, 52][largest]]


def test_the_options_and_both_identities_are_kept(pair):
    new, old = pair
    result = quiet(new, old, threshold=4, most=0.01, most_large_scale=0.02)
    assert result.attrs["threshold"] == 4
    assert result.attrs["most"] == 0.01
    assert result.attrs["most_large_scale"] == 0.02
    assert result.attrs["rescaled"] == 1
    assert result.attrs["expected_by_chance"] == pytest.approx(6.334e-5, rel=1e-3)
    assert result.attrs["new"] == provenance.identity(new)
    assert result.attrs["old"] == provenance.identity(old)
    assert "most_large_scale" not in quiet(new, old).attrs
    assert result["channel"].values.tolist() == ["A", "B"]


# ---------------------------------------------------------------------- what is left out


@pytest.mark.parametrize("flag", [Flag.HOT, Flag.LEAKED, Flag.FAULT])
def test_flagged_pixels_are_not_compared(flag):
    old = bias(1.0, 1.0, 1.0, 1.0, mask=[0, 0, flag, flag])
    new = bias(1.0, 99.0, 99.0, 99.0, mask=[0, flag, 0, flag])
    result = compare_masters(new, old)
    assert (one(result, "number"), one(result, "fraction")) == (1, 0.0)
    assert one(result, "median_difference") == 0.0
    assert one(result, "newly_flagged") == 0.25
    assert one(result, "no_longer_flagged") == 0.25


@pytest.mark.parametrize(
    ("image", "variance"),
    [(np.nan, 1.0), (np.inf, 1.0), (-np.inf, 1.0), (5.0, np.nan), (5.0, np.inf), (5.0, -1.0)],
)
def test_what_is_not_finite_is_not_compared(image, variance):
    old = bias(1.0, 1.0, 1.0)
    spoilt = bias(1.0, image, 1.0, variance=[1.0, variance, 1.0])
    for new, was, lost in ((spoilt, old, "newly_flagged"), (old, spoilt, "no_longer_flagged")):
        result = compare_masters(new, was)
        assert (one(result, "number"), one(result, "fraction")) == (2, 0.0)
        assert one(result, lost) == pytest.approx(1 / 3)
        assert one(result, "largest_large_scale") == 0.0


def test_without_a_mask_all_that_is_finite_is_compared():
    new, old = bias(1.0, np.nan, 2.0), bias(1.0, 1.0, 2.0)
    result = compare_masters(new.drop_vars("mask"), old.drop_vars("mask"))
    assert one(result, "number") == 2
    assert one(compare_masters(new, old.drop_vars("mask")), "number") == 2


def test_where_nothing_can_be_compared_it_states_so():
    nothing, old = bias(1.0, 2.0, mask=[1, 1], units="1"), bias(1.0, 2.0, units="1")
    with pytest.warns(AutowispWarning, match="channel 'mono': no pixel is good in both masters"):
        result = compare_masters(nothing, old)
    assert one(result, "number") == 0
    assert one(result, "newly_flagged") == 1.0
    for name in ("ratio", "fraction", "median_difference", "scatter", "largest_large_scale"):
        assert np.isnan(one(result, name))
    assert np.isnan(one(result, "large_scale_y"))


def test_without_a_variance_anywhere_every_difference_counts():
    old = bias(1.0, 1.0, 1.0, 1.0, variance=0.0)
    with pytest.warns(AutowispWarning, match=r"25 % of 4 pixels differ"):
        result = compare_masters(bias(1.0, 1.0, 1.5, 1.0, variance=0.0), old, most_large_scale=1)
    assert one(result, "fraction") == 0.25


def test_a_cell_of_which_little_is_good_does_not_count(rng):
    image = np.ones((32, 64), "f4")
    mask = np.zeros((32, 64), np.uint8)
    mask[:17, 32:] = Flag.HOT
    spoilt = image.copy()
    spoilt[:, 32:] = 0.8
    planes = np.full(image.shape, 1e-6, "f4"), mask
    result = quiet(master(spoilt, *planes, units="1"), master(image, *planes, units="1"))
    assert one(result, "large_scale_x") == 16
    mask[:, 32:] = 0
    result = quiet(master(spoilt, *planes, units="1"), master(image, *planes, units="1"))
    assert one(result, "largest_large_scale") == pytest.approx(0.2 / 1.8, rel=1e-6)


# ---------------------------------------------------------------------- what it states


def test_the_warning_names_channel_number_and_place_to_look():
    image = np.zeros((2, 1, 200), "f4")
    changed = image.copy()
    changed[1, 0, :3] = 50.0
    planes = np.ones_like(image), np.zeros(image.shape)
    camera = Camera(channels=TWO_CHANNELS)
    new, old = master(changed, *planes, camera=camera), master(image, *planes, camera=camera)
    with pytest.warns(AutowispWarning) as caught:
        result = compare_masters(new, old, most_large_scale=9)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    stated = str(caught[0].message)
    assert "\n" not in stated
    assert stated.startswith(
        "channel 'B': 1.5 % of 200 pixels differ by more than 5 times their uncertainty, where "
        "0.1 % may"
    )
    assert "look at new.image - old.image" in stated
    assert result["fraction"].values.tolist() == [0.0, 0.015]


def test_most_is_what_may_differ():
    old = bias(*[0.0] * 100)
    new = bias(50.0, *[0.0] * 99)
    with pytest.warns(AutowispWarning, match="1 % of 100 pixels"):
        compare_masters(new, old, most=0.009)
    assert one(compare_masters(new, old, most=0.01), "fraction") == 0.01


def test_what_is_expected_by_chance_does_not_warn(rng):
    """A third of all pixels are beyond one error, and in a few hundred the number scatters."""
    for _ in range(20):
        new, old = (bias(*rng.normal(0, 1, 400)) for _ in range(2))
        result = compare_masters(new, old, threshold=1.0, most=0.0, most_large_scale=9)
        assert 0.2 < one(result, "fraction") < 0.45


def test_a_level_that_moved_by_more_than_the_noise_of_a_pixel_is_reported(rng):
    """No single pixel of a bias shows it."""
    planes = np.full((64, 64), 2.0), np.zeros((64, 64))
    new, old = (master(rng.normal(0, np.sqrt(2), (64, 64)), *planes) for _ in range(2))
    assert one(compare_masters(new, old), "fraction") == 0.0
    assert one(compare_masters(new.assign(image=new.image + 1.5), old), "fraction") == 0.0
    with pytest.warns(AutowispWarning, match=r"2\.\d* adu higher than the old one .* 2 adu may"):
        result = compare_masters(new.assign(image=new.image + 2.6), old)
    assert one(result, "fraction") < 1e-3
    with pytest.warns(AutowispWarning, match=r"1\.\d* adu lower .* 0.5 adu may"):
        compare_masters(new.assign(image=new.image - 1.5), old, most_large_scale=0.5)


def test_settings_that_differ_are_named():
    same = {"variance": 1e-4}
    old = bias(0.0, exposure=60.0, filter="V", **same).assign_coords(
        temperature=-10.0, gain_setting=1.0
    )
    new = bias(9.0, exposure=120.0, filter="R", **same).assign_coords(
        temperature=-5.0, gain_setting=1.0
    )
    with pytest.warns(AutowispWarning) as caught:
        compare_masters(new, old, most_large_scale=10)
    assert str(caught[0].message).endswith(
        "(they were not taken alike: the new master is at -5.0 C, not -10.0 C; "
        "exposed 120 s, not 60 s; of the filter R, not V)"
    )
    unknown = old.assign_coords(temperature=np.nan, exposure=60.3, filter=((), text("").squeeze()))
    with pytest.warns(AutowispWarning) as caught:
        compare_masters(old.assign(image=old.image + 9), unknown, most_large_scale=10)
    assert "taken alike" not in str(caught[0].message)


# ---------------------------------------------------------------------- contracts


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_chunks_change_no_bit(pair, chunks, rescale):
    new, old = pair
    expected = quiet(new, old, rescale=rescale).drop_attrs(deep=False)
    for one_of, other in (
        (new.chunk(chunks), old),
        (new, old.chunk(chunks)),
        (new.chunk(chunks), old.chunk(y=11)),
    ):
        result = quiet(one_of, other, rescale=rescale).drop_attrs(deep=False)
        xr.testing.assert_identical(result, expected)
        assert all(
            isinstance(v._data, np.ndarray) for v in result.variables.values() if v.ndim == 2
        )


def test_what_is_read_lazily_gives_the_same_bits(pair, tmp_path):
    stored = []
    for name, ds in zip(("new", "old"), pair, strict=True):
        ds.chunk(y=16).to_zarr(tmp_path / name, consolidated=False)
        stored.append(xr.open_zarr(tmp_path / name, chunks=None, consolidated=False))
        assert not stored[-1]["image"].variable._in_memory
    expected = quiet(*pair)
    xr.testing.assert_identical(
        quiet(*stored).drop_attrs(deep=False), expected.drop_attrs(deep=False)
    )
    assert not stored[0]["image"].variable._in_memory


def test_the_order_in_memory_changes_no_bit(pair):
    new, old = pair
    turned = new.copy()
    for name in ("image", "variance", "mask"):
        turned[name] = new[name].dims, np.asfortranarray(new[name].values), new[name].attrs
    result = quiet(turned, old).drop_attrs(deep=False)
    xr.testing.assert_identical(result, quiet(new, old).drop_attrs(deep=False))


@pytest.mark.parametrize("rescale", [True, False])
def test_each_master_is_computed_once(pair, rescale):
    computed = []

    def counting(block):
        computed.append(block.shape)
        return block

    late = [
        ds.assign(image=ds.image.copy(data=da.from_array(ds.image.values).map_blocks(counting)))
        for ds in pair
    ]
    computed.clear()
    quiet(*late, rescale=rescale)
    assert computed == [pair[0].image.shape] * 2


@pytest.mark.parametrize("rescale", [True, False])
def test_bands_of_rows_give_what_the_whole_gives(pair, rescale, monkeypatch):
    whole = quiet(*pair, rescale=rescale)
    monkeypatch.setattr(master_differences, "_PIXELS", 1)
    found = quiet(*pair, rescale=rescale)
    for name in whole:
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-12)


def test_no_more_memory_is_needed_than_documented(rng, monkeypatch):
    shape = (1000, 1000)
    new, old = (master(rng.normal(9, 1, shape), np.ones(shape), np.zeros(shape)) for _ in range(2))
    monkeypatch.setattr(master_differences, "_PIXELS", 2**15)
    tracemalloc.start()
    try:
        compare_masters(new, old)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * 1000**2


def test_in_memory_nothing_goes_through_dask(pair):
    with no_compute():
        assert quiet(*pair).sizes == {"channel": 2}


def test_the_inputs_are_untouched(pair):
    before = [ds.copy(deep=True) for ds in pair]
    quiet(*pair)
    for ds, was in zip(pair, before, strict=True):
        xr.testing.assert_identical(ds, was)


def test_a_single_frame_may_stand_for_a_master(rng):
    image = rng.normal(0, 1, (1, 6, 7))
    frame = frame_set(image, variance=np.ones((1, 1, 6, 7)), mask=np.zeros((1, 1, 6, 7)))
    old = master(image[0], np.ones((6, 7)), np.zeros((6, 7)))
    assert one(compare_masters(frame, old), "number") == 42
    assert one(compare_masters(old, frame), "scatter") == 0.0


def test_channels_may_come_in_another_order(pair):
    new, old = pair
    expected = quiet(new, old).drop_attrs(deep=False)
    turned = quiet(new, old.isel(channel=[1, 0])).drop_attrs(deep=False)
    xr.testing.assert_identical(turned, expected)


# ---------------------------------------------------------------------- refusals


def test_other_pixels_are_refused_with_both_ranges(pair):
    new, old = pair
    with pytest.raises(
        aw.MasterMismatchError,
        match=r"the new master covers 40 along 'y' \(raw pixels 8 to 47\) and 60 along 'x' .*"
        r"the old one 40 along 'y' .* 70 along 'x' .*select the same area",
    ):
        compare_masters(new.isel(x=slice(60)), old)
    moved = old.assign_coords(y=old.y + 1)
    with pytest.raises(aw.MasterMismatchError, match=r"8 to 47.* 9 to 48"):
        compare_masters(new, moved)
    assert quiet(new, moved.assign_coords(y=new.y, x=new.x)).identical(quiet(new, old))


def test_channels_of_other_names_or_places_are_refused(pair):
    new, old = pair
    with pytest.raises(
        aw.MasterMismatchError, match=r"channels \['A'\], the old one has \['A', 'B"
    ):
        compare_masters(new.isel(channel=[0]), old)
    elsewhere = old.assign_coords(x_offset=("channel", [1, 0]))
    with pytest.raises(
        aw.MasterMismatchError, match=r"A\[0::1, 0::2\], B\[0::1, 1::2\] of .* A\[0::1, 1::2\]"
    ):
        compare_masters(new, elsewhere)


def test_other_units_are_refused():
    with pytest.raises(aw.MasterMismatchError, match="units of 'adu', the old one of 'electron'"):
        compare_masters(bias(1.0), bias(1.0, units="electron"))


@pytest.mark.parametrize("which", ["new", "old"])
def test_a_master_without_variance_is_refused(which):
    masters = {"new": bias(1.0), "old": bias(1.0)}
    masters[which] = masters[which].drop_vars("variance")
    with pytest.raises(aw.SchemaError, match=f"the {which} master has no variance .*aw.stack"):
        compare_masters(**masters)


def test_what_is_no_master_is_refused(pair):
    flats = aw.master_flat(
        frame_set(np.full((2, 1, 3, 4), 5.0), variance=np.ones((2, 1, 3, 4)), units="adu")
    )
    with pytest.raises(
        aw.SchemaError, match=r"the new master is not (.|\n)*MasterFlats.*its \.high"
    ):
        compare_masters(flats, flats.high)
    two = frame_set(np.ones((2, 1, 3, 4)), variance=np.ones((2, 1, 3, 4)))
    with pytest.raises(aw.SchemaError, match="the old master is not a master"):
        compare_masters(flats.high, two)


@pytest.mark.parametrize("level", [0.0, -1.0])
def test_what_has_no_ratio_is_not_rescaled(level):
    new, old = bias(1.0, 1.0), bias(level, level)
    with pytest.raises(
        aw.CalibrationError, match=rf"channel 'mono': .* the means 1 and {level:g}.*rescale=False"
    ):
        compare_masters(new, old, rescale=True)
    assert one(quiet(new, old), "ratio") == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "threshold is a positive number, not 0"),
        ({"threshold": np.inf}, "threshold is a positive number, not inf"),
        ({"threshold": np.nan}, "threshold is a positive number, not nan"),
        ({"threshold": "5"}, "threshold is a positive number, not '5'"),
        ({"most": -0.1}, "most is a fraction from 0 to 1, not -0.1"),
        ({"most": 5}, "most is a fraction from 0 to 1, not 5"),
        ({"rescale": "yes"}, "rescale is None, True or False, not 'yes'"),
        ({"most_large_scale": -1}, "most_large_scale is None or a number from 0 on, not -1"),
        ({"most_large_scale": np.nan}, "most_large_scale is None or a number from 0 on, not nan"),
    ],
)
def test_a_wrong_option_becomes_no_default(options, message):
    with pytest.raises(ValueError, match=message):
        compare_masters(bias(1.0), bias(1.0), **options)

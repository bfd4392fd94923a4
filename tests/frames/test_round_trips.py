import hashlib
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import provenance, schema, simulate
from autowisp_xr.testing import assert_frames_equal

SUFFIXES = ("fits", "fits.fz")
PATTERNS = (None, "GBRG")
KINDS = ("bias", "dark", "flat")
# what a file does not hold: these belong to a stack in memory or in Zarr
NOT_IN_FITS = ("count", "shared_variance", "shared_relative_variance", *schema.PHOTON_PLANES)
STRUCTURAL = ("CHECKSUM", "DATASUM ")


@pytest.fixture(scope="module", params=PATTERNS)
def night(request):
    sky = simulate.Night(shape=(20, 24), seed=9, overscan=8, channels=request.param)
    bias = aw.master_bias(sky.bias(3))
    dark = aw.master_dark(sky.dark(3), bias=bias)
    flat = aw.master_flat(sky.flat(3), bias=bias).high
    return sky, {"bias": bias, "dark": dark, "flat": flat}


def through_fits(masters, folder, suffix):
    """The masters written and read back, one by one, as the only frame of a set."""
    return {
        kind: aw.open_fits(aw.to_fits(master, folder / f"{kind}_{{CLRCHNL}}.{suffix}"))
        for kind, master in masters.items()
    }


@pytest.fixture(scope="module")
def written(night, tmp_path_factory):
    """Files of the masters of the night, by suffix and kind, which no test changes."""
    folder = tmp_path_factory.mktemp("masters")
    return {
        suffix: {
            kind: aw.to_fits(master, folder / f"{kind}_{{CLRCHNL}}.{suffix}")
            for kind, master in night[1].items()
        }
        for suffix in SUFFIXES
    }


def opened(files):
    return {kind: aw.open_fits(paths) for kind, paths in files.items()}


def without_history(ds):
    ds = ds.copy()
    ds.attrs.pop("history", None)
    return ds


def cards(text):
    return [card for card in str(text).split("\n") if card[:8] not in STRUCTURAL]


# --------------------------------------------------------------------------------- masters


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_master_comes_back_bit_for_bit(night, suffix, written):
    _, masters = night
    for kind, back in opened(written[suffix]).items():
        back = schema.as_master(back)
        for name in ("image", "variance", "mask"):
            expected = masters[kind][name]
            assert back[name].dtype == expected.dtype
            np.testing.assert_array_equal(back[name].values, expected.values, err_msg=kind)
        for name in ("channel", "y", "x", "y_offset", "x_offset", "y_step", "x_step"):
            np.testing.assert_array_equal(back[name].values, masters[kind][name].values)
        assert back["image"].attrs["units"] == masters[kind]["image"].attrs["units"]
        assert provenance.identity(back) == provenance.identity(masters[kind])
        assert str(back["image_type"].values) == kind


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kinds", [("bias",), ("dark",), ("flat",), ("bias", "dark"), KINDS])
def test_a_master_from_a_file_calibrates_to_the_same_bits(night, suffix, kinds, written):
    sky, masters = night
    raw = sky.objects(2)
    given = {kind: masters[kind] for kind in kinds}
    back = {kind: aw.open_fits(written[suffix][kind]) for kind in given}
    expected = aw.calibrate(raw, **given)
    assert_frames_equal(aw.calibrate(raw, **back).compute(), expected)
    assert_frames_equal(aw.calibrate(raw.chunk(frame=1), **back).compute(), expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_scaled_dark_from_a_file_calibrates_to_the_same_bits(night, suffix, written):
    sky, masters = night
    raw = sky.objects(2, exposure=[20.0, 45.0])
    given = {kind: masters[kind] for kind in ("bias", "dark")}
    back = {kind: aw.open_fits(written[suffix][kind]) for kind in given}
    expected = aw.calibrate(raw, **given, scale_dark="any")
    found = aw.calibrate(raw, **back, scale_dark="any").compute()
    assert_frames_equal(found, expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_noise_of_the_bias_still_cancels_after_a_file(night, suffix, written):
    sky, masters = night
    raw = sky.objects(1)
    back = opened(written[suffix])
    both = aw.calibrate(raw, bias=back["bias"], dark=back["dark"]).compute()
    # a dark made with another bias has nothing to cancel: its whole variance is added
    other = aw.master_bias(sky.bias(3, start=50))
    apart = aw.calibrate(raw, bias=other, dark=masters["dark"])
    good = (both["mask"].values == 0) & (apart["mask"].values == 0)
    noise = aw.calibrate(raw)["variance"].values
    var_bias = np.broadcast_to(masters["bias"]["variance"].values, good.shape)
    var_dark = np.broadcast_to(masters["dark"]["variance"].values, good.shape)
    assert (var_bias[good] > 0).all()
    assert (var_dark > var_bias)[good].all()
    shared = both["shared_variance"].values
    np.testing.assert_allclose(
        np.broadcast_to(shared, good.shape)[good], (var_dark - var_bias)[good], rtol=1e-4
    )
    assert (both["variance"].values < apart["variance"].values)[good].mean() > 0.9
    assert noise.shape == good.shape


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_masters_made_with_masters_from_files_are_the_same_masters(night, suffix, written):
    sky, masters = night
    back = opened(written[suffix])
    dark = aw.master_dark(sky.dark(3), bias=back["bias"]).compute()
    flat = aw.master_flat(sky.flat(3), bias=back["bias"]).high.compute()
    assert_frames_equal(dark, masters["dark"])
    assert_frames_equal(flat, masters["flat"])
    assert provenance.identity(dark) == provenance.identity(masters["dark"])


def test_a_master_goes_round_twice_and_through_zarr(night, tmp_path):
    sky, masters = night
    raw = sky.objects(1)
    expected = aw.calibrate(raw, **masters)
    once = through_fits(masters, tmp_path / "once", "fits")
    stored = {
        kind: aw.to_zarr(master, tmp_path / "night.zarr", group=kind)
        for kind, master in once.items()
    }
    twice = through_fits(stored, tmp_path / "twice", "fits.fz")
    assert_frames_equal(aw.calibrate(raw, **stored).compute(), expected)
    assert_frames_equal(aw.calibrate(raw, **twice).compute(), expected)


def test_a_master_in_float64_loses_no_bit_of_its_image(night, tmp_path):
    sky, _ = night
    bias = aw.master_bias(sky.bias(3), dtype="float64")
    back = schema.as_master(aw.open_fits(aw.to_fits(bias, tmp_path / "bias_{CLRCHNL}.fits")))
    np.testing.assert_array_equal(back["image"].values, bias["image"].values)
    assert back["variance"].dtype == np.float64
    np.testing.assert_allclose(back["variance"].values, bias["variance"].values, rtol=5e-16)


def test_a_master_with_pixels_without_a_value_comes_back_with_them(night, tmp_path):
    _, masters = night
    bias = masters["bias"].copy(deep=True)
    bias["image"][0, 3, 4] = np.nan
    bias["variance"][0, 3, 4] = np.nan
    bias["mask"][0, 3, 4] = 127
    for suffix in SUFFIXES:
        path = tmp_path / f"b_{{CLRCHNL}}.{suffix}"
        back = schema.as_master(aw.open_fits(aw.to_fits(bias, path)))
        for name in ("image", "variance", "mask"):
            np.testing.assert_array_equal(back[name].values, bias[name].values)


# -------------------------------------------------------------------------------------- raw


def write_as_a_camera_does(folder, sky):
    """Two raw mosaics with cards of every kind, without a history of ours."""
    paths = []
    for i, image in enumerate(sky.objects(2, split=False)["image"].values):
        header = fits.Header()
        header["IMAGETYP"] = ("LIGHT", "of the sky")
        header["EXPTIME"] = (60.0, "[s]")
        header["DATE-OBS"] = f"2024-03-01T21:0{i}:00.5"
        header["FILTER"] = "V"
        header["OBJECT"] = "O'Neill's star"
        if sky.channels:
            header["BAYERPAT"] = sky.channels
        header["LONGTEXT"] = "words and 'quotes' " * 9
        header["HIERARCH ESO DET READ"] = 3.5
        header.append(("TWICE", 1), end=True)
        header.append(("TWICE", 2), end=True)
        header["NOVALUE"] = None
        header["SMALL"] = 1.5e-300
        for text in ("first", "", "first", "x" * 72):
            header.add_comment(text)
        header.add_history("somebody's history")
        header.append(fits.Card.fromstring(f"{'FLOAT   = +1.500E+000 / as it is':<80}"), end=True)
        path = folder / f"raw {i}.fits"
        folder.mkdir(exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            hdu = fits.PrimaryHDU(image[0])
            for card in header.cards:
                hdu.header.append(card, end=True)
            hdu.writeto(path, output_verify="ignore")
        paths.append(path)
    return paths


@pytest.fixture(scope="module", params=[None, "RGGB"])
def raw_files(request, tmp_path_factory):
    sky = simulate.Night(shape=(20, 24), seed=9, overscan=8, channels=request.param)
    return write_as_a_camera_does(tmp_path_factory.mktemp("raw") / "night", sky)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_raw_frames_go_through_zarr_to_fits_and_lose_nothing(raw_files, suffix, tmp_path):
    # as stored, without splitting, so that a whole frame is a whole frame again
    raw = aw.open_fits(raw_files)
    stored = aw.to_zarr(raw, tmp_path / "n.zarr", group="raw")
    assert_frames_equal(stored, raw.compute())
    template = f"{{RAWFNAME}}_{{CLRCHNL}}.{suffix}"
    direct = aw.to_fits(raw, tmp_path / "direct" / template)
    paths = aw.to_fits(aw.open_zarr(tmp_path / "n.zarr", group="raw"), tmp_path / "via" / template)
    assert [Path(path).name for path in paths] == [Path(path).name for path in direct]
    for path, other in zip(paths, direct, strict=True):
        one, two = aw.open_fits(path), aw.open_fits(other)
        assert cards(one["header"].values[0]) == cards(two["header"].values[0])
        assert one["image"].dtype == np.uint16
        np.testing.assert_array_equal(one["image"].values, two["image"].values)
    back = aw.open_fits(paths)
    np.testing.assert_array_equal(back["image"].values, raw["image"].values)
    for name in ("time", "exposure", "filter", "object", "image_type", "y", "x"):
        np.testing.assert_array_equal(back[name].values, raw[name].values, err_msg=name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_card_of_the_camera_is_in_the_file_at_the_end(raw_files, suffix, tmp_path):
    raw = aw.open_fits(raw_files)
    stored = aw.to_zarr(raw, tmp_path / "n.zarr")
    paths = aw.to_fits(stored, tmp_path / f"{{RAWFNAME}}_{{CLRCHNL}}.{suffix}")
    last = str(aw.open_fits(paths[-1:])["header"].values[0]).split("\n")
    first = str(raw["header"].values[-1]).split("\n")
    # a plane of one colour has no pattern any more
    structural = ("SIMPLE", "BITPIX", "NAXIS", "EXTEND", "BZERO", "BSCALE", "BAYERPAT")
    expected = [card for card in first if not card.startswith(structural)]
    assert len(expected) > 15
    assert [card for card in last if card in expected] == expected


def test_raw_pixels_are_those_of_the_camera(raw_files, tmp_path):
    raw = aw.open_fits(raw_files)
    stored = aw.to_zarr(raw, tmp_path / "n.zarr")
    for i, path in enumerate(raw_files):
        mosaic = fits.getdata(path)
        for channel in range(stored.sizes["channel"]):
            cut = schema.channel_slices(stored)[channel]
            np.testing.assert_array_equal(
                stored["image"].values[i, channel],
                mosaic[cut.y_offset :: cut.y_step, cut.x_offset :: cut.x_step],
            )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_went_through_zarr_is_still_known_by_its_bytes(raw_files, suffix, tmp_path):
    stored = aw.to_zarr(aw.open_fits(raw_files), tmp_path / "n.zarr")
    paths = aw.to_fits(stored, tmp_path / f"{{RAWFNAME}}_{{CLRCHNL}}.{suffix}")
    step, copies = [step for step in provenance.history(aw.open_fits(paths)) if "inputs" in step]
    assert {file["path"] for file in copies["inputs"]} == set(paths)
    assert [file["sha256"] for file in step["inputs"]] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in raw_files
    ]


# ------------------------------------------------------------------------------- calibrated


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_calibrated_frames_from_the_store_and_from_memory_give_the_same_files(
    night, suffix, tmp_path
):
    sky, masters = night
    science = aw.calibrate(without_history(sky.objects(2)), **masters)
    stored = aw.to_zarr(science, tmp_path / "n.zarr")
    template = f"{{RAWFNAME}}_{{CLRCHNL}}.{suffix}"
    one = aw.to_fits(science, tmp_path / "memory" / template)
    two = aw.to_fits(stored, tmp_path / "store" / template)
    for ours, theirs in zip(one, two, strict=True):
        with fits.open(ours) as a, fits.open(theirs) as b:
            assert len(a) == len(b)
            for x, y in zip(a, b, strict=True):
                assert cards("\n".join(c.image for c in x.header.cards)) == cards(
                    "\n".join(c.image for c in y.header.cards)
                )
                if x.data is not None:
                    np.testing.assert_array_equal(x.data, y.data)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_calibrated_frames_come_back_from_files(night, suffix, tmp_path):
    sky, masters = night
    science = aw.calibrate(sky.objects(2), **masters)
    paths = aw.to_fits(science, tmp_path / f"{{RAWFNAME}}_{{CLRCHNL}}.{suffix}")
    back = aw.open_fits(paths)
    for name in ("image", "mask", "channel", "y", "x", "time", "exposure", "frame"):
        np.testing.assert_array_equal(back[name].values, science[name].values, err_msg=name)
    # an error in the type of the image, squared: off in the last bit
    np.testing.assert_allclose(back["variance"], science["variance"], rtol=3e-7)
    assert provenance.identity(back) == provenance.identity(science)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_crop_keeps_its_place_through_fits_and_zarr(night, suffix, tmp_path):
    sky, masters = night
    raw = sky.objects(1)
    cut = {"y": slice(3, 9), "x": slice(2, 8)}
    crop = aw.calibrate(raw, **masters).isel(cut)
    stored = aw.to_zarr(crop, tmp_path / "n.zarr")
    paths = aw.to_fits(stored, tmp_path / f"{{RAWFNAME}}_{{CLRCHNL}}.{suffix}")
    back = aw.open_fits(paths)
    for name in ("image", "mask", "y", "x", "y_offset", "x_offset", "y_step", "x_step"):
        np.testing.assert_array_equal(back[name].values, crop[name].values, err_msg=name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_stack_comes_back_from_a_file(night, suffix, tmp_path):
    sky, masters = night
    deep = aw.stack(aw.calibrate(sky.objects(3), **masters))
    back = schema.as_master(aw.open_fits(aw.to_fits(deep, tmp_path / f"d_{{CLRCHNL}}.{suffix}")))
    assert set(deep.data_vars) - set(back.data_vars) <= set(NOT_IN_FITS)
    for name in ("image", "variance", "mask"):
        np.testing.assert_array_equal(back[name].values, deep[name].values, err_msg=name)

import json
import os
import warnings
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import HeaderError
from autowisp_xr.fits import writing
from autowisp_xr.frames import atomic_write, to_fits
from autowisp_xr.opening import open_fits
from autowisp_xr.regions import ChannelSlice
from tests.steps.frames import frame_set

BAYER = {
    "R": ChannelSlice(y_step=2, x_step=2),
    "B": ChannelSlice(y_offset=1, y_step=2, x_offset=1, x_step=2),
}


def frames(n=2, channels=None, dtype="float32", units="adu", header=""):
    """Calibrated frames of 5 by 7 that start at row 4 and column 6 of the raw frame."""
    names = channels or {"mono": ChannelSlice()}
    shape = (n, len(names), 5, 7)
    rng = np.random.default_rng(5)
    image = rng.normal(100, 10, shape).astype(dtype)
    mask = rng.integers(0, 64, shape).astype("uint8")
    image[0, 0, 1, 2], mask[0, 0, 1, 2] = np.nan, 1
    text = np.dtypes.StringDType()
    ds = xr.Dataset(
        {
            "image": (schema.DIMS, image),
            "variance": (schema.DIMS, rng.uniform(1, 900, shape).astype(dtype)),
            "mask": (schema.DIMS, mask),
        },
        {
            **schema.place(names, 5, 7, 4, 6),
            "frame": ("frame", np.array([f"f{i}" for i in range(n)], dtype=text)),
            "header": ("frame", np.array([header] * n, dtype=text)),
        },
        {"camera": Camera(gain=2.5).to_json()},
    )
    return provenance.record(schema.with_attributes(ds, units), "simulate", {"text": "a  b " * 40})


def master(**kwargs):
    ds = frames(1, **kwargs).isel(frame=0).drop_vars(["frame", "header"])
    return ds.assign_coords(header=f"{'IMAGETYP= ' + repr('zero'):<80}")


def same(one, two):
    for name in one.data_vars:
        assert one[name].dtype == two[name].dtype, name
        np.testing.assert_array_equal(one[name].values, two[name].values, err_msg=name)
        assert one[name].attrs["units"] == two[name].attrs["units"] if name != "mask" else True
    for name in ("channel", "y", "x", "y_offset", "y_step", "x_offset", "x_step"):
        np.testing.assert_array_equal(one[name].values, two[name].values, err_msg=name)


@pytest.mark.parametrize("suffix", ["fits", "fits.fz"])
@pytest.mark.parametrize("channels", [None, BAYER])
@pytest.mark.parametrize("units", ["adu", "electron"])
def test_frames_come_back_as_they_were(tmp_path, suffix, channels, units):
    ds = frames(channels=channels, units=units)
    paths = to_fits(ds, tmp_path / "new" / f"{{RAWFNAME}}_{{CLRCHNL}}.{suffix}")
    names = ["mono"] if channels is None else list(channels)
    assert [Path(path).name for path in paths] == [
        f"f{i}_{name}.{suffix}" for i in range(2) for name in names
    ]
    back = open_fits(paths)
    same(ds.drop_vars("variance"), back)
    # the error of a frame has the type of its image, so that its square may differ in the last bit
    np.testing.assert_allclose(back.variance, ds.variance, rtol=3e-7)
    assert list(back.frame.values) == ["f0", "f1"]
    assert back.attrs["history"] == ds.attrs["history"]


@pytest.mark.parametrize("suffix", ["fits", "fits.fz"])
@pytest.mark.parametrize("channels", [None, BAYER])
def test_masters_come_back_bit_for_bit_and_with_their_identity(tmp_path, suffix, channels):
    ds = master(channels=channels)
    back = open_fits(to_fits(ds, tmp_path / f"bias_{{CLRCHNL}}.{suffix}"))
    same(ds, schema.as_master(back))
    assert provenance.identity(schema.as_master(back)) == provenance.identity(ds)
    assert back.image_type.values[0] == "bias"
    again = open_fits(to_fits(back, tmp_path / f"again_{{CLRCHNL}}.{suffix}"))
    same(ds, schema.as_master(again))


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
)
@pytest.mark.parametrize("suffix", ["fits", "fits.fz"])
def test_raw_frames_keep_their_integers(raw, ramp, tmp_path, dtype, suffix):
    ds = open_fits(raw(data=ramp(dtype)))
    paths = to_fits(ds, tmp_path / f"out.{suffix}")
    same(ds, open_fits(paths))
    with fits.open(paths[0]) as hdus:
        assert len(hdus) == (2 if suffix.endswith("fz") else 1)


def test_a_file_has_the_planes_and_cards_of_the_original(tmp_path):
    (path,) = to_fits(frames(1, channels={"R": BAYER["R"]}), tmp_path / "a.fits")
    with fits.open(path, checksum=True) as hdus:
        image, error, mask = hdus
        header = image.header
        expected = {
            "RAWFNAME": "f0",
            "CLRCHNL": "R",
            "CHNLXOFF": 0,
            "CHNLXSTP": 2,
            "CHNLYOFF": 0,
            "CHNLYSTP": 2,
            "IMAGAREA": "6 < x < 20, 4 < y < 14",
            "CALBGAIN": 2.5,
            "BUNIT": "adu",
        }
        assert {key: header[key] for key in expected} == expected
        assert (error.header["IMAGETYP"], mask.header["IMAGETYP"]) == ("error", "mask")
        assert mask.data.dtype == np.uint8
        assert all("CHECKSUM" in hdu.header and "DATASUM" in hdu.header for hdu in hdus)
        for hdu in hdus:
            hdu.verify("exception")


def test_compressed_files_have_valid_checksums_too(tmp_path):
    (path,) = to_fits(frames(1), tmp_path / "a.fits.fz")
    with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
        assert [hdu.header.get("ZCMPTYPE") for hdu in hdus] == [None, "GZIP_2", "GZIP_2", "RICE_1"]
        for hdu in hdus:
            assert hdu.verify_checksum() == hdu.verify_datasum() == 1
            hdu.verify("exception")


def test_a_whole_raw_frame_is_still_raw_when_it_comes_back(raw, tmp_path):
    ds = open_fits(raw())
    paths = to_fits(ds, tmp_path / "out" / "{RAWFNAME}.fits")
    header = fits.getheader(paths[0])
    assert "IMAGAREA" not in header
    assert header["RAWFNAME"] == "a"
    again = open_fits(paths, camera=Camera(channels="RGGB"))
    assert list(again.channel.values) == ["R", "G1", "G2", "B"]
    np.testing.assert_array_equal(again.image[0, 1, :, :], ds.image[0, 0, 0:4:2, 1:6:2])
    assert list(again.x.values) == [0, 2, 4]


@pytest.mark.parametrize("suffix", ["fits", "fits.fz"])
def test_a_master_bears_how_many_values_went_into_each_pixel(tmp_path, suffix):
    ds = master(channels=BAYER)
    count = np.arange(70, dtype="u2").reshape(2, 5, 7) + np.uint16(65000)
    ds["count"] = (schema.DIMS[1:], count)
    paths = to_fits(ds, tmp_path / f"bias_{{CLRCHNL}}.{suffix}")
    for number, path in enumerate(paths):
        with fits.open(path) as hdus:
            assert [hdu.header.get("IMAGETYP") for hdu in hdus[-3:]] == ["error", "mask", "count"]
            assert hdus[-1].data.dtype == np.uint16
            np.testing.assert_array_equal(hdus[-1].data, count[number])
    same(
        ds.drop_vars("count"),
        schema.as_master(open_fits(paths)).drop_vars("count", errors="ignore"),
    )


@pytest.mark.parametrize("suffix", ["fits", "fits.fz"])
def test_a_stack_bears_how_many_values_were_rejected(tmp_path, suffix):
    values = np.random.default_rng(3).normal(100, 10, (8, 1, 5, 7)).astype("f4")
    values[2, 0, 3], values[5, 0, :, 1] = 500, -500
    stack = aw.stack(frame_set(values), "mean", reject=aw.SigmaClip(2.5), rejected=True)
    (path,) = to_fits(stack, tmp_path / f"stack.{suffix}")
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus[-3:]] == ["COUNT", "REJECTED_LOW", "REJECTED_HIGH"]
    back = open_fits(path)
    assert "doubts" not in back.coords
    again = open_fits(to_fits(back, tmp_path / f"again.{suffix}"))
    for name in schema.NUMBERS_OF_VALUES:
        assert back[name].dtype == np.uint16
        np.testing.assert_array_equal(back[name][0], stack[name])
        np.testing.assert_array_equal(again[name], back[name])
    assert int(back["rejected_high"].sum()) >= 6
    # they are no numbers of frames that are stacked again, or stand beside others
    other = aw.stack(frame_set(values + 1), "mean", reject=aw.SigmaClip(2.5), rejected=True)
    joined = aw.concat(back, other.assign_coords(time=np.datetime64("2026-01-01", "ns")))
    for ds in (aw.stack(back, "mean"), joined):
        assert "rejected_low" not in ds
        assert "count" in ds


def test_a_master_states_so(tmp_path):
    (path,) = to_fits(master(), tmp_path / "{IMAGETYP}.fits")
    assert Path(path).name == "Master Bias.fits"
    header = fits.getheader(path)
    assert "RAWFNAME" not in header
    assert "CLRCHNL" not in header
    assert header["CHNLXSTP"] == 1


def test_a_master_flat_is_dimensionless(tmp_path):
    back = open_fits(to_fits(master(units="1"), tmp_path / "flat.fits"))
    assert back.image.attrs["units"] == "1"


@pytest.mark.parametrize("suffix", ["fits", "fits.fz"])
def test_headers_survive_card_for_card(raw, tmp_path, suffix):
    cards = fits.Header()
    cards["LONGTEXT"] = "words " * 30
    cards["HIERARCH ESO DET READ"] = 3.5
    cards["DUPLICAT"] = 1
    cards.append(("DUPLICAT", 2), end=True)
    for text in ("first", "", "first"):
        cards.add_comment(text)
    cards.add_history("somebody's")
    cards["EMPTY"] = None
    odd = [f"{card:<80}" for card in ("NOVALUE = NaN", "lower   = 'case'", "FLOAT   = +1.500E+000")]
    path = tmp_path / "a.fits"
    data = fits.PrimaryHDU(np.ones((5, 7), "int16"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for card in [*cards.cards, *map(fits.Card.fromstring, odd)]:
            data.header.append(card, end=True)
        data.writeto(path, output_verify="ignore")
    once = to_fits(open_fits(path), tmp_path / f"b.{suffix}")
    twice = to_fits(open_fits(once), tmp_path / f"c.{suffix}")
    first, second, third = (
        str(open_fits(p).header.values[0]).split("\n") for p in (path, once, twice)
    )
    image = cards.tostring(sep="\n", padding=False, endcard=False).split("\n")
    assert all(card in first for card in image)
    kept = [card for card in second if card in image]
    assert kept == image
    assert any(card.startswith("FLOAT   = +1.500E+000") for card in second)
    ignored = ("CHECKSUM", "DATASUM ")
    assert [c for c in second if c[:8] not in ignored] == [c for c in third if c[:8] not in ignored]


def test_history_of_any_length_and_wording_is_restored(tmp_path):
    ds = frames(1)
    steps = [{"verb": "x", "options": {"t": " " * 300 + "é'|\n"}, "masters": {}, "id": "1"}] * 9
    ds.attrs["history"] = json.dumps(steps)
    back = open_fits(to_fits(ds, tmp_path / "a.fits"))
    assert back.attrs["history"] == ds.attrs["history"]
    assert "AWXR" not in str(back.header.values[0])
    foreign = ds.assign_attrs(history="written by hand")
    back = open_fits(to_fits(foreign, tmp_path / "b.fits"))
    assert provenance.history(back) == provenance.history(foreign)


def test_frames_of_different_histories_are_opened_anew(tmp_path):
    one = to_fits(frames(1), tmp_path / "a.fits")
    two = to_fits(provenance.record(frames(1), "more"), tmp_path / "b.fits")
    assert [step["verb"] for step in provenance.history(open_fits(one + two))] == ["open_fits"]


def test_hashes_of_the_inputs_go_along(raw, tmp_path):
    ds = open_fits(raw())
    for hashes in (True, False):
        back = open_fits(to_fits(ds, tmp_path / f"{hashes}.fits", hashes=hashes))
        (file,) = provenance.history(back)[0]["inputs"]
        assert ("sha256" in file) == hashes


def test_lossy_compression_rounds_to_the_noise_and_keeps_the_mask(tmp_path):
    rng = np.random.default_rng(3)
    ds = frames(1).isel(y=[0] * 40, x=[0] * 60).drop_vars(["y", "x"])
    shape = ds.image.shape
    ds["image"] = (schema.DIMS, rng.normal(1000, 10, shape).astype("f4"), ds.image.attrs)
    ds["mask"] = (schema.DIMS, rng.integers(0, 9, shape).astype("u1"), ds.mask.attrs)
    (path,) = to_fits(ds, tmp_path / "a.fits.fz", compress=True)
    back = open_fits(path)
    difference = np.abs(back.image.values - ds.image.values)
    assert 0 < difference.max() < 10 / 16
    np.testing.assert_array_equal(back.mask, ds.mask)
    with fits.open(path, disable_image_compression=True) as hdus:
        header = hdus[1].header
        assert (header["ZCMPTYPE"], header.get("ZQUANTIZ", "NO_DITHER")) == ("RICE_1", "NO_DITHER")
        assert (header["ZTILE1"], header["ZTILE2"]) == (60, 1)


@pytest.mark.parametrize(
    ("template", "compress", "message"),
    [
        ("a.fits", True, r"whose names end in \.fz"),
        ("a.fits.fz", -1, "not -1"),
        ("a.fits.gz", None, "not written"),
    ],
)
def test_compression_that_cannot_be_is_refused(tmp_path, template, compress, message):
    with pytest.raises(ValueError, match=message):
        to_fits(frames(1), tmp_path / template, compress=compress)
    assert os.listdir(tmp_path) == []


def test_an_existing_file_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "f1.fits").write_text("precious")
    with pytest.raises(FileExistsError, match=r"f1\.fits"):
        to_fits(frames(), tmp_path / "{frame}.fits")
    assert os.listdir(tmp_path) == ["f1.fits"]
    to_fits(frames(), tmp_path / "{frame}.fits", overwrite=True)
    assert open_fits(tmp_path).sizes["frame"] == 2


def test_two_outputs_of_one_name_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"two outputs would have the name"):
        to_fits(frames(channels=BAYER), tmp_path / "{frame}.fits")
    assert os.listdir(tmp_path) == []


def test_a_template_of_unknown_keywords_is_refused(tmp_path):
    with pytest.raises(HeaderError, match="'CAMSN'"):
        to_fits(frames(), tmp_path / "{CAMSN}.fits")


@pytest.mark.parametrize("suffix", ["fits", "fits.fz"])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), KeyboardInterrupt(), ValueError("x")]
)
def test_a_write_that_dies_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, error, suffix
):
    path = tmp_path / f"f0.{suffix}"
    path.write_text("precious")

    def die(file, *_, **__):
        file.write(b"half")
        raise error

    monkeypatch.setattr(writing, "_write_pixels", die)
    monkeypatch.setattr(fits.HDUList, "writeto", lambda self, *given, **more: die(*given, **more))
    with pytest.raises(type(error)) as caught:
        to_fits(frames(1), tmp_path / f"{{frame}}.{suffix}", overwrite=True)
    assert path.name in str(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == [path.name]


def test_lazy_frames_are_computed_one_chunk_at_a_time(tmp_path):
    ds = frames(5)
    sizes = []

    def seen(block):
        sizes.append(block.shape[0])
        return block

    lazy = ds.chunk(frame=2)
    lazy["image"] = lazy.image.copy(
        data=lazy.image.data.map_blocks(seen, dtype="f4", meta=np.empty((0,) * 4, "f4"))
    )
    paths = to_fits(lazy, tmp_path / "{frame}.fits")
    assert sorted(sizes) == [1, 2, 2]
    same(ds.drop_vars("variance"), open_fits(paths))


def computed_once(ds, seen):
    """The same with dask arrays, whose every computed plane is counted."""

    def looked_at(block, name):
        seen.append(name)
        return block

    return ds.assign(
        {
            name: plane.copy(
                data=plane.data.map_blocks(
                    looked_at,
                    name,
                    dtype=plane.dtype,
                    meta=np.empty((0,) * plane.ndim, plane.dtype),
                )
            )
            for name, plane in ds.chunk().data_vars.items()
        }
    )


def test_what_all_frames_need_is_computed_once(tmp_path):
    seen = []
    raw = frames(5).drop_vars(["variance", "mask"]).chunk(frame=1)
    bias = computed_once(master().drop_vars("header"), seen)
    camera = Camera(gain=2.0, read_noise=3.0)
    done = raw.autowisp.calibrate(bias=bias, camera=camera)
    to_fits(done, tmp_path / "{frame}.fits")
    assert sorted(seen) == ["image", "mask", "variance"]


@pytest.mark.parametrize("lazy", [False, True])
def test_after_an_error_no_further_frame_is_begun(tmp_path, monkeypatch, lazy):
    begun = []

    def full(content, temporary, path):
        begun.append(path)
        raise OSError(28, f"{path!r}: no space left")

    monkeypatch.setattr(atomic_write, "_write", full)
    ds = frames(40)
    with pytest.raises(OSError, match="no space left"):
        to_fits(ds.chunk(frame=1) if lazy else ds, tmp_path / "{frame}.fits")
    assert 1 <= len(begun) < 20
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_every_scheduler_writes_the_same(tmp_path, scheduler):
    ds = frames(3, channels=BAYER)
    eager = to_fits(ds, tmp_path / "eager" / "{frame}_{CLRCHNL}.fits")
    with dask.config.set(scheduler=scheduler):
        lazy = to_fits(ds.chunk(frame=1, y=2), tmp_path / "lazy" / "{frame}_{CLRCHNL}.fits")
    for one, other in zip(eager, lazy, strict=True):
        # the comments of both name the second they were written in
        but = {"ignore_keywords": ["CHECKSUM"], "ignore_comments": ["DATASUM"]}
        assert fits.FITSDiff(one, other, **but).identical
        with fits.open(other, checksum=True) as hdus:
            assert all(hdu.verify_checksum() == hdu.verify_datasum() == 1 for hdu in hdus)


def test_the_input_is_untouched(tmp_path):
    ds = frames()
    before = ds.copy(deep=True)
    to_fits(ds, tmp_path / "{frame}.fits")
    xr.testing.assert_identical(ds, before)


def test_one_frame_of_a_set_is_a_frame_and_no_master(tmp_path):
    header = f"{'IMAGETYP= ' + repr('object'):<80}"
    (path,) = to_fits(frames(header=header).isel(frame=1), tmp_path / "{RAWFNAME}.fits")
    assert Path(path).name == "f1.fits"
    assert fits.getheader(path)["IMAGETYP"] == "object"


@pytest.mark.parametrize("suffix", ["fits", "fits.fz"])
def test_fitsio_reads_what_we_write(tmp_path, suffix):
    fitsio = pytest.importorskip("fitsio")
    ds = frames(1)
    (path,) = to_fits(ds, tmp_path / f"a.{suffix}")
    image, mask = (1, 3) if suffix.endswith("fz") else (0, 2)
    with fitsio.FITS(path) as file:
        np.testing.assert_array_equal(file[image].read(), ds.image[0, 0])
        np.testing.assert_array_equal(file[mask].read(), ds.mask[0, 0])

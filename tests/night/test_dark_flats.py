"""Nights with darks of the exposure of the flats, by whatever name they go."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from tests.night.reducing import reduce


def renamed(folder, old, new, **cards):
    """Give files of a night another name, and other cards; None takes a card away."""
    for path in sorted(folder.glob(f"{old}*.fits")):
        with fits.open(path, mode="update") as hdus:
            for card, value in cards.items():
                if value is None:
                    del hdus[0].header[card]
                else:
                    hdus[0].header[card] = value
        path.rename(path.with_name(path.name.replace(old, new)))


@pytest.fixture
def night(sky, write_night):
    """Biases, darks of the lights and of the flats, flats and lights; the darks come twice."""

    def write(flat_exposure=5.0):
        folder = write_night(sky.bias(3), sky.dark(3), sky.flat(3, exposure=flat_exposure))
        write_night(sky.dark(3, exposure=flat_exposure, start=11), folder="short")
        write_night(sky.objects(2), folder="raw")
        return folder, folder.parent / "short"

    return write


def moved(short, folder):
    for path in short.glob("*.fits"):
        path.rename(folder / path.name)
    return folder


def made_of(summary):
    return {made.what: made.masters for made in summary.made}


def test_dark_flats_correct_flats_and_no_lights(night, sky, tmp_path):
    folder, short = night()
    renamed(short, "dark", "x", IMAGETYP="Flat Dark")
    summary = reduce(moved(short, folder), tmp_path / "out", camera=sky.camera)
    assert made_of(summary) == {
        "master bias": {},
        "master dark_60s": {"bias": "bias"},
        "master darkflat_5s": {"bias": "bias"},
        "master flat_V": {"bias": "bias", "dark": "darkflat_5s"},
        "calibrated V_60s": {"bias": "bias", "dark": "dark_60s", "flat": "flat_V"},
    }
    assert "corrected by: bias, darkflat_5s" in str(summary)
    written = tmp_path / "out" / "masters" / "darkflat_5s.fits"
    assert fits.getheader(written)["IMAGETYP"] == "Master Dark Flat"
    ds = aw.open_fits(folder, camera=sky.camera)
    bias = aw.master_bias(ds.autowisp.where_type("bias"))
    dark = aw.master_dark(ds.autowisp.where_type("darkflat"), bias=bias)
    flat = aw.master_flat(ds.autowisp.where_type("flat"), bias=bias, dark=dark)
    stored = aw.open_zarr(tmp_path / "out" / "night.zarr", group="masters/flat_V")
    np.testing.assert_array_equal(stored["image"].values, flat.high["image"].values)
    library = tmp_path / "library"
    library.mkdir()
    (tmp_path / "out" / "masters" / "darkflat_5s.fits").rename(library / "darkflat_5s.fits")
    for path in folder.glob("x*"):
        path.unlink()
    tree = aw.open_night(folder, camera=sky.camera, masters=library)
    table = tree.to_dataset()
    flats = table["image_type"].values == "flat"
    assert set(table["dark"].values[flats].tolist()) == {str(library / "darkflat_5s.fits")}


@pytest.mark.parametrize(
    ("name", "cards"),
    [
        ("dark", {"IMAGETYP": "DARKFLAT"}),
        ("dark_flat_", {"IMAGETYP": None}),
        ("FlatDark", {"IMAGETYP": None}),
    ],
)
def test_a_night_that_is_only_looked_at_names_the_dark_flats(name, cards, night, sky):
    folder, short = night()
    renamed(short, "dark", name, **cards)
    tree = aw.open_night(moved(short, folder), camera=sky.camera)
    table = tree.to_dataset()
    of = {kind: table["image_type"].values == kind for kind in ("flat", "object")}
    assert set(table["dark"].values[of["flat"]].tolist()) == {"darkflat_5s"}
    assert set(table["dark"].values[of["object"]].tolist()) == {"dark_60s"}
    assert "darkflat_5s" in tree.autowisp.info()


def test_dark_flats_that_are_called_darks_serve_as_before(night, sky):
    folder, short = night()
    renamed(short, "dark", "darkflat")
    table = aw.open_night(moved(short, folder), camera=sky.camera).to_dataset()
    kinds = table["image_type"].values
    assert set(table["dark"].values[kinds == "flat"].tolist()) == {"dark_5s"}
    assert set(table["dark"].values[kinds == "object"].tolist()) == {"dark_60s"}
    assert not any(table["doubts"].values[kinds == "dark"].tolist())


def test_without_darks_of_their_own_lights_go_without_and_are_not_left_out(night, sky, tmp_path):
    folder, short = night()
    renamed(short, "dark", "dark", IMAGETYP="Dark Flat")
    for path in folder.glob("dark*"):
        path.unlink()
    summary = reduce(moved(short, folder), tmp_path / "out", camera=sky.camera)
    assert made_of(summary)["calibrated V_60s"] == {"bias": "bias", "flat": "flat_V"}
    assert not summary.left_out
    assert "no dark (there is none)" in str(summary)


def test_a_dark_flat_of_their_exposure_serves_lights_that_have_no_dark(night, sky):
    folder, short = night(flat_exposure=60.0)
    renamed(short, "dark", "dark", IMAGETYP="Dark Flat")
    for path in folder.glob("dark*"):
        path.unlink()
    table = aw.open_night(moved(short, folder), camera=sky.camera).to_dataset()
    lights = table["image_type"].values == "object"
    assert set(table["dark"].values[lights].tolist()) == {"darkflat_60s"}


def test_biases_that_are_called_darks_are_named_where_a_level_is_missing(
    sky, write_night, tmp_path
):
    folder = write_night(sky.bias(3), sky.dark(3), sky.flat(3), sky.objects(1))
    renamed(folder, "bias", "short", IMAGETYP="Dark Frame", EXPTIME=0.001)
    summary = reduce(folder, tmp_path / "out", camera=aw.Camera(gain=2.0, read_noise=6.0))
    (flat,) = [made for made in summary.made if made.what == "master flat_V"]
    (note,) = [note for note in flat.notes if "counted as light" in note]
    assert "frames of dark_0.001s, of 0.001 s, are as good as biases: --type 'NAME*=bias'" in note

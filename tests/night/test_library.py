import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.night import masters_in


@pytest.fixture(scope="module")
def earlier(sky, tmp_path_factory):
    """Results of another night."""
    top = tmp_path_factory.mktemp("earlier")
    for frames in (sky.bias(5), sky.dark(4), sky.flat(4), sky.objects(1)):
        aw.to_fits(frames, top / "raw" / "{RAWFNAME}.fits")
    aw.reduce(top / "raw", top / "out", camera=sky.camera)
    return top / "out"


def test_masters_of_results_are_candidates_and_science_is_not(earlier, sky):
    found, left_out = masters_in(earlier)
    assert left_out == {}
    by_kind = {candidate.traits.kind: candidate for candidate in found}
    assert sorted(by_kind) == ["bias", "dark", "flat"]
    dark, flat = by_kind["dark"], by_kind["flat"]
    assert (dark.frames, dark.own, dark.bias_free) == (4, False, True)
    assert dark.traits.exposures == (60.0, 60.0)
    assert flat.traits.band == "V"
    assert dark.traits.setup.area == sky.camera.image_area
    assert not np.isnat(dark.traits.time)
    assert dark.open().sizes["channel"] == 1
    assert dark.open() is dark.open()


def test_a_night_without_masters_of_its_own_takes_those_of_another(
    earlier, sky, write_night, tmp_path
):
    folder = write_night(sky.objects(2, start=31))
    alone = aw.reduce(folder, tmp_path / "alone", camera=sky.camera)
    assert len(alone.made[0].notes) == 3
    summary = aw.reduce(folder, tmp_path / "out", camera=sky.camera, masters=earlier)
    (made,) = summary.made
    assert made.notes == ()
    assert [name.rpartition("/")[2] for name in made.masters.values()] == [
        "bias.fits",
        "dark_60s.fits",
        "flat_V.fits",
    ]
    assert "3 masters of other nights" in str(summary)
    science = aw.open_zarr(tmp_path / "out" / "night.zarr", group=made.group)
    store = earlier / "night.zarr"
    bias, dark, flat = (
        aw.open_zarr(store, group=f"masters/{name}") for name in ("bias", "dark_60s", "flat_V")
    )
    raw = aw.open_fits(folder, camera=sky.camera)
    expected = raw.autowisp.calibrate(bias=bias, dark=dark, flat=flat)
    np.testing.assert_array_equal(science["image"].values, expected["image"].values)


def test_masters_of_the_night_go_before_those_of_another(earlier, sky, write_night, tmp_path):
    folder = write_night(sky.bias(3, start=41), sky.objects(1, start=31))
    summary = aw.reduce(folder, tmp_path / "out", camera=sky.camera, masters=[earlier])
    science = summary.made[-1]
    assert science.masters["bias"] == "bias"
    assert science.masters["dark"].endswith("dark_60s.fits")
    (reason,) = (why for name, why in science.why_not.items() if name.endswith("bias.fits"))
    assert reason == "fits too, but bias goes before it"


def test_channels_of_a_master_are_one_candidate(tmp_path):
    sky = simulate.Night(shape=(20, 32), channels="RGGB", seed=2)
    for frames in (sky.bias(3, split=False), sky.flat(3, split=False)):
        aw.to_fits(frames, tmp_path / "raw" / "{RAWFNAME}.fits")
    aw.reduce(tmp_path / "raw", tmp_path / "earlier", camera=sky.camera)
    found, _ = masters_in(tmp_path / "earlier" / "masters")
    assert len(found) == 2
    aw.to_fits(sky.objects(1, split=False), tmp_path / "new" / "{RAWFNAME}.fits")
    summary = aw.reduce(
        tmp_path / "new", tmp_path / "out", camera=sky.camera, masters=earlier_of(tmp_path)
    )
    assert sorted(summary.made[0].masters) == ["bias", "flat"]


def earlier_of(top):
    return top / "earlier" / "masters"


def test_what_is_no_master_of_a_known_type_has_its_reason(tmp_path, sky):
    bias = aw.master_bias(sky.bias(2))
    aw.to_fits(bias, tmp_path / "masters" / "a.fits")
    with fits.open(tmp_path / "masters" / "a.fits", mode="update") as hdus:
        hdus[0].header["IMAGETYP"] = "master fringe"
    (tmp_path / "masters" / "b.fits").write_bytes(b"no FITS")
    found, left_out = masters_in(tmp_path / "masters")
    assert found == []
    assert "no known type" in left_out[str(tmp_path / "masters" / "a.fits")]
    assert "b.fits" in left_out[str(tmp_path / "masters" / "b.fits")]


def test_masters_that_do_not_fit_are_not_taken_and_the_summary_says_why(
    earlier, write_night, tmp_path
):
    other = simulate.Night(shape=(20, 30), overscan=0, seed=6)
    folder = write_night(other.objects(1))
    summary = aw.reduce(folder, tmp_path / "out", camera=other.camera, masters=earlier)
    (made,) = summary.made
    assert made.masters == {}
    assert all(reason.startswith("covers the raw pixels") for reason in made.why_not.values())
    assert len(made.why_not) == 3

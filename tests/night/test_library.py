import os
import re
import shutil

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.frames import Manifest, manifest
from autowisp_xr.night import masters_in
from tests.night.reducing import reduce


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
    assert sorted(by_kind) == ["bias", "dark", "defects", "flat"]
    dark, flat = by_kind["dark"], by_kind["flat"]
    assert (dark.frames, dark.own, dark.traits.holds_bias) == (4, False, False)
    assert dark.traits.exposure == (60.0, 60.0)
    assert flat.traits.filter == "V"
    assert dark.traits.area == sky.camera.image_area
    assert not np.isnat(dark.traits.time)
    assert dark.open().sizes["channel"] == 1
    assert dark.open() is dark.open()


def test_masters_that_a_manifest_knows_are_not_opened_again(earlier, tmp_path, monkeypatch):
    masters = shutil.copytree(earlier / "masters", tmp_path / "masters")
    for path in masters.iterdir():
        os.utime(path, (1e9, 1e9))
    found, _ = masters_in(masters, manifest=Manifest(tmp_path / "m.zarr").of_masters())
    opened = []
    monkeypatch.setattr(manifest, "scan_files", lambda files, **_: opened.extend(files) or [])
    again, _ = masters_in(masters, manifest=Manifest(tmp_path / "m.zarr").of_masters())
    assert opened == []
    assert [(one.name, one.traits) for one in again] == [(one.name, one.traits) for one in found]
    assert Manifest(tmp_path / "m.zarr").state() == {}


def test_a_night_without_masters_of_its_own_takes_those_of_another(
    earlier, sky, write_night, tmp_path
):
    folder = write_night(sky.objects(2, start=31))
    alone = aw.reduce(folder, tmp_path / "alone", camera=sky.camera)
    assert list(alone.made[0].missing) == ["bias", "dark", "flat"]
    summary = aw.reduce(folder, tmp_path / "out", camera=sky.camera, masters=earlier)
    (made,) = summary.made
    assert made.missing == {}
    assert made.notes == ()
    assert [name.rpartition("/")[2] for name in made.masters.values()] == [
        "bias.fits",
        "dark_60s.fits",
        "flat_V.fits",
    ]
    assert "masters of other nights: 4" in str(summary)
    assert re.search(r"those of \S+defects\.fits are flagged", str(summary))
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
    summary = reduce(folder, tmp_path / "out", camera=sky.camera, masters=[earlier])
    (note,) = summary.made[0].notes
    assert re.match(
        r"compared with \S+bias\.fits of 20\d\d-\d\d-\d\d: its level is [+-]\d\S* ADU apart, "
        r"\S+ % of the pixels differ by more than 5 times their uncertainty, and 0 % are newly",
        note,
    )
    science = summary.made[-1]
    assert science.masters["bias"] == "bias"
    assert science.masters["dark"].endswith("dark_60s.fits")
    (reason,) = (why for name, why in science.why_not.items() if name.endswith("bias.fits"))
    assert reason == "fits too, but bias is of this night"


def test_channels_of_a_master_are_one_candidate(tmp_path):
    sky = simulate.Night(shape=(20, 32), channels="RGGB", seed=2)
    for frames in (sky.bias(3, split=False), sky.flat(3, split=False)):
        aw.to_fits(frames, tmp_path / "raw" / "{RAWFNAME}.fits")
    reduce(tmp_path / "raw", tmp_path / "earlier", camera=sky.camera)
    found, _ = masters_in(tmp_path / "earlier" / "masters")
    assert len(found) == 2
    aw.to_fits(sky.objects(1, split=False), tmp_path / "new" / "{RAWFNAME}.fits")
    summary = reduce(
        tmp_path / "new",
        tmp_path / "out",
        camera=sky.camera,
        masters=tmp_path / "earlier" / "masters",
    )
    assert sorted(summary.made[0].masters) == ["bias", "flat"]


def test_what_nothing_marks_as_a_master_is_named_with_the_rule_that_makes_it_one(tmp_path, sky):
    for number, frames in enumerate((sky.bias(1), sky.dark(1), sky.objects(1))):
        aw.to_fits(frames, tmp_path / f"average{number}.fits")
    found, left_out = masters_in(tmp_path)
    assert found == []
    assert [path.rpartition("/")[2] for path in left_out] == ["average0.fits", "average1.fits"]
    (reason,) = set(left_out.values())
    assert reason.startswith("average0.fits, average1.fits of --masters: nothing marks")
    assert reason.endswith("such as --type 'average*=master bias' state so")
    found, _ = masters_in(tmp_path, types={"average0*": "master bias"})
    assert [one.traits.kind for one in found] == ["bias"]


def test_what_is_no_master_of_a_known_type_has_its_reason(tmp_path, sky):
    bias = aw.master_bias(sky.bias(2))
    aw.to_fits(bias, tmp_path / "masters" / "a.fits")
    with fits.open(tmp_path / "masters" / "a.fits", mode="update") as hdus:
        hdus[0].header["IMAGETYP"] = "master light"
    (tmp_path / "masters" / "b.fits").write_bytes(b"no FITS")
    found, left_out = masters_in(tmp_path / "masters")
    assert found == []
    assert "no known type" in left_out[str(tmp_path / "masters" / "a.fits")]
    assert "b.fits" in left_out[str(tmp_path / "masters" / "b.fits")]


def test_masters_that_do_not_fit_are_not_taken_and_the_summary_states_why(
    earlier, write_night, tmp_path
):
    other = simulate.Night(shape=(20, 30), overscan=0, seed=6)
    folder = write_night(other.objects(1))
    summary = reduce(folder, tmp_path / "out", camera=other.camera, masters=earlier)
    (made,) = summary.made
    assert made.masters == {}
    assert all(reason.startswith("covers the raw pixels") for reason in made.why_not.values())
    assert len(made.why_not) == 3


def foreign(path, kind, image, **cards):
    """A master as other programs write it."""
    header = fits.Header({"IMAGETYP": f"Master {kind}", "EXPTIME": 60.0, "FILTER": "V"} | cards)
    path.parent.mkdir(exist_ok=True)
    fits.PrimaryHDU(np.asarray(image, np.float32), header).writeto(path)


@pytest.mark.parametrize(
    ("card", "bias_free", "fits_frames"),
    [
        ({"CALSTAT": "B"}, True, True),
        ({"SUBBIAS": "ccd=, master=<CCDData>"}, True, True),
        ({"CALSTAT": ""}, None, False),
        ({"CALSTAT": "D"}, False, True),
        ({"ZEROCOR": "no"}, False, True),
        ({"ZEROCOR": "UNKNOWN"}, None, False),
        ({}, None, False),
    ],
)
def test_a_dark_of_another_program_is_taken_only_if_its_bias_is_known(
    card, bias_free, fits_frames, sky, write_night, tmp_path
):
    """One that holds the bias is freed of it; where nobody knows, that would be a guess."""
    foreign(tmp_path / "lib" / "d.fits", "Dark", np.full(sky.shape, 30.0), **card)
    (found,), _ = masters_in(tmp_path / "lib")
    assert found.traits.holds_bias is (None if bias_free is None else not bias_free)
    folder = write_night(sky.bias(3), sky.objects(1))
    summary = reduce(folder, tmp_path / "out", camera=sky.camera, masters=tmp_path / "lib")
    assert bool(summary.left_out) != fits_frames
    if fits_frames:
        assert sorted(summary.made[-1].masters) == ["bias", "dark"]
    elif bias_free is None:
        assert "it is not stated whether its bias was subtracted" in str(summary)


def test_a_flat_of_another_program_is_brought_to_a_mean_of_one(sky, write_night, tmp_path):
    folder = write_night(sky.objects(1))
    rng = np.random.default_rng(1)
    response = rng.uniform(0.9, 1.1, sky.shape)
    images = []
    for level in (1.0, 20_114.0):
        lib = tmp_path / f"{level:g}"
        foreign(lib / "f.fits", "Flat", level * response)
        summary = reduce(folder, lib / "out", camera=sky.camera, masters=lib)
        (made,) = summary.made
        images.append(aw.open_zarr(lib / "out" / "night.zarr", group=made.group)["image"].values)
    (note,) = (note for note in made.notes if "f.fits: it is divided by its mean" in note)
    assert "make it of its frames by reduce, or state" in note
    np.testing.assert_allclose(images[1], images[0] * response.mean(), rtol=1e-5)


def test_what_is_no_flat_is_not_taken_for_one(sky, tmp_path):
    noise = np.random.default_rng(1).normal(0, 3, sky.shape)
    foreign(tmp_path / "lib" / "noise.fits", "Flat", noise)
    foreign(tmp_path / "lib" / "held.fits", "Flat", 20_000 + noise, ZEROCOR="no")
    found, left_out = masters_in(tmp_path / "lib")
    assert found == []
    reasons = {path.rpartition("/")[2]: reason for path, reason in left_out.items()}
    assert "that is no flat" in reasons["noise.fits"]
    assert "holds the bias (ZEROCOR = 'no')" in reasons["held.fits"]


def test_masters_of_another_subframe_are_not_taken(sky, write_night, tmp_path):
    foreign(tmp_path / "lib" / "b.fits", "Bias", np.ones(sky.shape), XORGSUBF=100, YORGSUBF=50)
    folder = write_night(sky.objects(1))
    for path in folder.glob("*.fits"):
        fits.setval(path, "XORGSUBF", value=0)
        fits.setval(path, "YORGSUBF", value=0)
    summary = reduce(folder, tmp_path / "out", camera=sky.camera, masters=tmp_path / "lib")
    (reason,) = summary.made[0].why_not.values()
    assert "of the window [101:" in reason
    assert "of the sensor (XORGSUBF), not [1:" in reason


def test_masters_of_two_cameras_in_one_directory_stay_apart(earlier, sky, tmp_path):
    mosaic = simulate.Night(shape=(20, 32), channels="RGGB", seed=2)
    aw.to_fits(mosaic.bias(3, split=False), tmp_path / "raw" / "{RAWFNAME}.fits")
    reduce(tmp_path / "raw", tmp_path / "lib" / "colour", camera=mosaic.camera)
    (tmp_path / "lib" / "mono").symlink_to(earlier)
    for path in (tmp_path / "lib" / "colour" / "masters").iterdir():
        path.rename(tmp_path / "lib" / path.name)
    (tmp_path / "lib" / "bias.fits").write_bytes((earlier / "masters" / "bias.fits").read_bytes())
    found, left_out = masters_in(tmp_path / "lib" / "*.fits")
    assert left_out == {}
    assert sorted(len(candidate.traits.channels) for candidate in found) == [1, 4]


def test_reducing_the_other_night_again_changes_nothing_here(sky, tmp_path, write_night):
    first = write_night(sky.bias(3), sky.dark(3), sky.flat(3), folder="first")
    then = write_night(sky.objects(2, start=21), folder="then")
    lib, out = tmp_path / "lib", tmp_path / "out"
    reduce(first, lib, camera=sky.camera)
    once = reduce(then, out, camera=sky.camera, masters=lib)
    reduce(first, lib, camera=sky.camera)
    again = reduce(then, out, camera=sky.camera, masters=lib)
    assert str(again).replace("; up to date", "") == str(once)
    assert again.failed == {}


def test_masters_are_found_by_rules_of_the_user(sky, tmp_path):
    foreign(tmp_path / "lib" / "stacked.fits", "Bias", np.ones(sky.shape))
    with fits.open(tmp_path / "lib" / "stacked.fits", mode="update") as hdus:
        hdus[0].header["IMAGETYP"] = "Bias"
    assert masters_in(tmp_path / "lib")[0] == []
    (found,), _ = masters_in(tmp_path / "lib", types={"stacked*": "master bias"})
    assert found.traits.kind == "bias"


def test_the_results_are_no_other_night(sky, write_night, tmp_path):
    folder = write_night(sky.bias(1))
    with pytest.raises(ValueError, match="masters of other nights are in other directories"):
        reduce(folder, tmp_path / "out", masters=[tmp_path / "." / "out"])
    # below another directory they are passed over
    reduce(folder, tmp_path / "all" / "out", camera=sky.camera)
    (tmp_path / "all" / "none.fits").write_bytes((folder / "bias-0001.fits").read_bytes())
    again = reduce(folder, tmp_path / "all" / "out", camera=sky.camera, masters=tmp_path / "all")
    assert "masters of other nights: 0" in again.notes

"""One plan of a night: info prints it, reduce executes it."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.matching import Matching
from autowisp_xr.matching.traits import Traits
from autowisp_xr.night import plan_night
from autowisp_xr.night.choosing import Candidate, Choice
from autowisp_xr.night.unlike_pairs import doubts_on_pairs
from autowisp_xr.testing import no_compute


def test_products_follow_the_masters_that_they_need(sky, write_night):
    folder = write_night(sky.objects(2), sky.flat(2), sky.dark(2), sky.bias(2))
    with no_compute():
        plan = plan_night(folder, camera=sky.camera)
    assert [one.group for one in plan.products] == [
        "masters/bias",
        "masters/dark_60s",
        "masters/flat_V",
        "calibrated/V_60s",
    ]
    assert plan.products[-1].masters == {"bias": "bias", "dark": "dark_60s", "flat": "flat_V"}
    assert set(plan.choices) == {record.path for record in plan.records}


def test_a_plan_without_a_master_is_another_that_is_the_same_up_to_there(sky, write_night):
    folder = write_night(sky.bias(2), sky.dark(2), sky.flat(2), sky.objects(2))
    plan = plan_night(folder, camera=sky.camera)
    other = plan.without("dark_60s", "it has no good pixel")
    assert [one.what for one in other.products] == [one.what for one in plan.products]
    assert [one.stopped for one in plan.products] == [""] * 4
    assert [one.stopped for one in other.products] == [
        *("", ""),
        *["their master dark_60s failed"] * 2,
    ]
    assert other.products[2].why_not == {"dark_60s": "could not be made: it has no good pixel"}


def test_info_shows_what_reduce_makes(sky, write_night, tmp_path):
    folder = write_night(
        sky.bias(2), sky.dark(2), sky.dark(2, exposure=5, start=11), sky.objects(2), sky.flat(2)
    )
    before = aw.open_night(folder, camera=sky.camera).to_dataset()
    after = aw.reduce(folder, tmp_path / "out", camera=sky.camera).table()
    xr.testing.assert_identical(before.drop_attrs(), after[list(before)].drop_attrs())


def test_masters_that_differ_in_what_lights_do_not_state_are_doubtful(sky, write_night):
    low, high = (replace(sky, gain_setting=setting) for setting in (0, 100))
    folder = write_night(low.bias(2), sky.objects(2))
    (note,) = plan_night(folder, camera=sky.camera).doubts
    assert "bias and 2 frames that it corrects: only one side states gain setting" in note
    write_night(high.bias(2, start=11))
    (doubt,) = plan_night(folder, camera=sky.camera).doubts
    assert doubt.startswith("DOUBT: object-0001.fits, object-0002.fits: without GAIN, ")
    assert "bias: of the gain setting 0 (GAIN), not 100); write the card into the headers" in doubt


@pytest.mark.parametrize(("number", "doubtful"), [(4, True), (1, False)])
def test_exposures_that_were_added_up_beside_a_master_without_a_word_of_it_are_doubtful(
    number, doubtful, sky, write_night
):
    folder = write_night(sky.bias(2), sky.objects(2))
    for path in folder.glob("object*"):
        fits.setval(path, "COADDS", value=number, ext=int(path.suffix == ".fz"))
    doubts = plan_night(folder, camera=sky.camera).doubts
    assert [one.startswith("DOUBT: bias and 2 frames that it corr") for one in doubts] == [
        True
    ] * doubtful
    assert all("only one side states that several exposures were added up" in one for one in doubts)


def test_flats_of_another_focal_length_are_doubtful(sky, write_night, tmp_path):
    for length, frames in ((500.0, sky.flat(2)), (2000.0, sky.objects(2)), (None, sky.bias(2))):
        for file in aw.to_fits(frames, tmp_path / "{RAWFNAME}.fits"):
            fits.setval(file, "FOCALLEN", value=length)
    (doubt,) = plan_night(tmp_path, camera=sky.camera).doubts
    assert doubt.startswith(
        "DOUBT: V_60s is of a focal length of 2000 (FOCALLEN), and flat_V that corrects it of 500: "
    )
    apart = plan_night(tmp_path, camera=sky.camera, matching=Matching(keywords=("FOCALLEN",)))
    assert apart.doubts == []
    assert "flat" not in apart.products[-1].masters


@pytest.mark.parametrize(
    ("own", "other", "number"),
    [(500, 530, 0), (500, 560, 1), (2000, 2, 0), (2000, 200, 1), (np.nan, 500, 0)],
)
def test_focal_lengths_in_another_unit_or_nearly_the_same_are_not_doubted(own, other, number):
    flat = Candidate(name="flat_V", traits=Traits(kind="flat", focal_length=other))
    lights = Traits(kind="object", focal_length=own)
    assert len(doubts_on_pairs([("V", lights, {"flat": Choice(chosen=flat)})])) == number


@pytest.mark.parametrize(("seconds", "doubted"), [(60000, True), (0.06, True), (30000, False)])
@pytest.mark.parametrize("bias", [True, False])
def test_darks_that_count_in_another_unit_are_doubtful(
    sky, write_night, seconds, doubted, bias, tmp_path
):
    darks = sky.dark(2)
    folder = write_night(sky.objects(2), darks, *([sky.bias(2)] if bias else []))
    for file in folder.glob("dark*"):
        fits.setval(file, "EXPTIME", value=seconds)
    doubts = plan_night(folder, camera=sky.camera).doubts
    assert any("counts in another unit" in doubt for doubt in doubts) == doubted
    for file in folder.glob("dark*"):
        fits.setval(file, "EXPTIME", comment="[ms]")
    if seconds == 60000:
        # flats may well be so short
        write_night(sky.flat(2, exposure=0.06))
        assert plan_night(folder, camera=sky.camera).doubts == []


def test_darks_of_lights_much_shorter_belong_to_the_night_as_well(sky, write_night):
    short = sky.dark(2, exposure=0.06, start=11)
    folder = write_night(sky.bias(2), sky.objects(2), sky.dark(2), short)
    assert plan_night(folder, camera=sky.camera).doubts == []

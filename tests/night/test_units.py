"""Units of the work on a night: any process can carry them out, twice, or die of it."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.cli import main
from autowisp_xr.errors import BadImageError
from autowisp_xr.night import Export, Make, read_units, run, unit_lines
from autowisp_xr.night.units import UnitError
from tests.night.kills import Killer, differences, products
from tests.night.reducing import files, reduce

_OF_THE_RUN = (
    "summary.txt",
    *(f"night.zarr/{name}/" for name in ("manifest", "products", "summary")),
)


@pytest.fixture
def night(sky, write_night):
    return write_night(sky.bias(2), sky.objects(4))


@pytest.fixture
def unit(night, sky, tmp_path):
    """That of two of the frames, and the files that threads have made of all."""
    reduce(night, tmp_path / "out", camera=sky.camera)
    store = tmp_path / "out" / "night.zarr"
    return Export(
        store=str(store),
        group="calibrated/V_60s",
        identity=aw.store.stated_identity(store, "calibrated/V_60s"),
        template=str(tmp_path / "units" / "calibrated" / "V_60s" / "{frame}.fits"),
        frames=(1, 3),
    )


def test_a_unit_makes_its_files_once_and_accepts_them_then(unit, tmp_path):
    whole = files(tmp_path / "out")
    written = run(unit_lines.unit_of(unit_lines.as_line(unit)))
    made = files(tmp_path / "units")
    assert made == {name: whole[name] for name in sorted(whole)[1:3]}
    again = run(pickle.loads(pickle.dumps(unit)))
    assert again.files == ()
    assert again.found == {one["path"]: True for one in written.files}
    assert len(pickle.dumps(unit)) < 1000


def test_what_lies_in_the_place_of_a_file_is_kept_unless_it_may_be_replaced(unit):
    (first, second) = (one["path"] for one in run(unit).files)
    os.replace(second, first)
    done = run(unit)
    assert done.found == {first: False}
    assert [one["path"] for one in done.files] == [second]
    assert run(replace(unit, replaces=(first,))).found == {second: True}


def test_a_unit_of_a_set_that_is_another_by_now_is_refused(unit):
    with pytest.raises(BadImageError, match="V_60s holds something else than when this unit was"):
        run(replace(unit, identity="of others"))


def test_a_unit_whose_frames_are_others_by_now_is_refused(night, tmp_path):
    path = tmp_path / "units.jsonl"
    reduce(night, tmp_path / "out", units=path, camera=aw.Camera(gain=1.0, read_noise=1.0))
    units = read_units(path)
    make = next(one for one in units if isinstance(one, Make) and one.group == "calibrated/V_60s")
    run(units[0])
    (tmp_path / "moved").mkdir()
    light = next(one for one in sorted(Path(night).iterdir()) if "object" in one.name)
    light = light.rename(tmp_path / "moved" / light.name)
    with pytest.raises(BadImageError, match="V_60s are others than when this unit was planned"):
        run(make)
    light.rename(Path(night) / light.name)
    assert run(make)


def test_a_night_is_made_by_whoever_carries_out_its_units_in_their_order(
    night, sky, tmp_path, capsys
):
    out, listed = tmp_path / "out", tmp_path / "night.units"
    reduce(night, out, camera=sky.camera)
    whole = products(out)
    out.rename(tmp_path / "whole")
    planned = reduce(night, out, camera=sky.camera, units=listed)
    assert planned.exit_status == 0
    assert "Verdict: 6 units make all of it, as lines of" in str(planned)
    # a manifest, unless the files are so new that they may still change
    assert not out.exists() or os.listdir(out) == ["night.zarr"]
    made = [unit_lines.unit_of(unit_lines.as_line(unit)) for unit in read_units(listed)]
    assert made == read_units(listed)
    assert [unit.group for unit in made[:2]] == ["masters/bias", "calibrated/V_60s"]
    assert made[1].needs == ("masters/bias",)
    assert all(len(pickle.dumps(unit)) < 2000 for unit in made)
    for number in (2, 3):
        assert main(["run", f"{listed}[{number}]"]) == 1
        assert "60s needs " in capsys.readouterr().err
    assert main(["run", str(listed), "1", "2", "6", "4"]) == 0
    assert main(["run", str(listed)]) == 0
    assert capsys.readouterr().out.split("\n")[-5:-1] == [
        "unit 3: 1 file written",
        "unit 4: 0 files written, 1 there already",
        "unit 5: 1 file written",
        "unit 6: 0 files written, 1 there already",
    ]
    assert len(reduce(night, out, camera=sky.camera).made[-1].files) == 4
    differing = {line.split(" ")[0] for line in differences(products(out), whole)}
    assert all(place.startswith(_OF_THE_RUN) for place in differing)
    # they are those of this night: another camera may replace them, and nobody else's are
    other = aw.Camera(gain=2, read_noise=3, overscan=sky.camera.overscan)
    again = reduce(night, out, camera=other, overwrite=True)
    assert not any("kept" in note for note in again.made[-1].notes)


def test_options_of_a_night_survive_in_the_text_of_its_units():
    given = {
        "camera": simulate.Night(shape=(40, 56), channels="RGGB").camera,
        "select": aw.FlatSelection(min_high_mean=9e3, smoother=None),
        "matching": aw.Matching(allow_mismatch=("filter",)),
        "aliases": aw.KeywordAliases().extended(exposure="IMG_SEC"),
        "cosmic_rays": aw.CosmicRays(objlim=3),
    }
    unit = Make(night="/raw", out="/out", group="masters/bias", options=given)
    assert unit_lines.unit_of(unit_lines.as_line(unit)) == unit
    with pytest.raises(UnitError, match=r"<function .* cannot be written to a file of units"):
        unit_lines.as_line(replace(unit, options={"report": lambda line: None}))


def test_a_night_whose_runs_are_killed_three_times_ends_in_the_same_bits(tmp_path):
    killer = Killer(tmp_path, {"defects": "none"}, {"bias": 2, "objects": 4})
    assert killer.kill(0.3, 0.6, 0.85)[1] == []


def test_what_holds_no_units_is_refused_and_not_replaced(night, tmp_path, capsys):
    (tmp_path / "mine").write_text("{}")
    assert main(["run", str(tmp_path / "mine")]) == 1
    assert "mine: this is no unit of reduce --units: {}" in capsys.readouterr().err
    with pytest.raises(FileExistsError, match="mine exists, and holds no units; choose another"):
        reduce(night, tmp_path / "out", units=tmp_path / "mine")

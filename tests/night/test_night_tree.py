import json
import os
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.frames import manifest
from autowisp_xr.night import info, table_of_night
from autowisp_xr.provenance import step_records
from autowisp_xr.testing import no_compute


@pytest.fixture
def folder(sky, tmp_path):
    """A night in folders, as capture programs leave it, with an odd frame and a master."""
    darks = sky.dark(3), sky.dark(2, exposure=5, start=11)
    science = sky.objects(2), sky.objects(1, exposure=30, start=11)
    for name, frames in (
        ("bias", [sky.bias(3)]),
        ("darks", darks),
        ("flats", [sky.flat(2)]),
        ("M31", science),
    ):
        for part in frames:
            aw.to_fits(part, tmp_path / "night" / name / "{RAWFNAME}.fits")
    aw.to_fits(aw.master_bias(sky.bias(2)), tmp_path / "night" / "old" / "stacked.fits")
    (tmp_path / "night" / "M31" / "broken.fits").write_bytes(b"SIMPLE")
    return tmp_path / "night"


def test_a_folder_is_a_tree_of_lazy_sets_and_a_table(folder, sky):
    with no_compute():
        night = aw.open_night(folder, camera=sky.camera)
    assert sorted(node.path for node in night.leaves) == [
        "/raw/V_30s",
        "/raw/V_60s",
        "/raw/bias",
        "/raw/dark_5s",
        "/raw/dark_60s",
        "/raw/flat_V",
    ]
    assert night.sizes["file"] == 15
    frames = night["raw/V_60s"].to_dataset()
    np.testing.assert_array_equal(frames["image"].values, sky.objects(2)["image"].values)
    assert "file" not in frames.dims
    science = frames.autowisp.calibrate(camera=sky.camera)
    assert science.sizes["frame"] == 2


def test_the_table_states_what_each_frame_is_and_what_corrects_it(folder, sky):
    table = aw.open_night(folder, camera=sky.camera).to_dataset()
    rows = {path.rpartition("/")[2]: i for i, path in enumerate(table["path"].values.tolist())}
    one = table.isel(file=rows["object-0001.fits"])
    assert str(one["set"].values) == "V_60s"
    assert [str(one[kind].values) for kind in ("bias", "dark", "flat")] == [
        "bias",
        "dark_60s",
        "flat_V",
    ]
    assert json.loads(str(one["why_not"].values)) == {
        "dark": {"dark_5s": "exposed 5 s, not 60 s, which would scale it up"}
    }
    assert (float(one["exposure"]), str(one["filter"].values)) == (60.0, "V")
    reasons = {name: str(table["reason"].values[i]) for name, i in rows.items()}
    assert "a master already" in reasons["stacked.fits"]
    assert "broken.fits" in reasons["broken.fits"]
    assert sum(map(bool, reasons.values())) == 2
    assert np.isnan(table["exposure"].values[rows["broken.fits"]])
    # as a table of numbers and texts, it goes through Zarr
    assert table["set"].dtype == np.dtypes.StringDType()


def test_the_text_has_a_line_for_each_set_and_the_reasons(folder, sky):
    text = aw.open_night(folder, camera=sky.camera).autowisp.info()
    lines = text.splitlines()
    assert lines[0].endswith("night: 15 files")
    assert [line.split()[:3] for line in lines[2:9]] == [
        ["set", "type", "frames"],
        ["bias", "bias", "3"],
        ["dark_60s", "dark", "3"],
        ["dark_5s", "dark", "2"],
        ["flat_V", "flat", "2"],
        ["V_60s", "object", "2"],
        ["V_30s", "object", "1"],
    ]
    after = text[text.index("What corrects what") :]
    assert "    V_60s: bias, dark_60s, flat_V\n" in after
    assert "    V_30s: bias, dark_60s, flat_V\n" in after
    assert "Left out: 2" in after
    assert "stacked.fits" in after


def test_columns_of_which_nothing_is_known_are_left_out(sky, write_night):
    text = aw.open_night(write_night(sky.bias(1))).autowisp.info()
    assert "filter" not in text
    assert "channels" not in text


def test_types_are_overruled_by_rules(sky, write_night):
    folder = write_night(sky.flat(2), sky.bias(1))
    night = aw.open_night(folder, types={"flat-0002*": "object", "IMAGETYP=zero": "dark"})
    assert sorted(node.path for node in night.leaves) == ["/raw/V_5s", "/raw/bias", "/raw/flat_V"]
    assert "the type rule 'IMAGETYP=zero' fits no file" in night.autowisp.info()
    with pytest.raises(ValueError, match="flatt"):
        aw.open_night(folder, types={"*": "flatt"})


def test_colours_sizes_and_unknown_noise_are_reported(sky, write_night):
    mosaic = simulate.Night(shape=(20, 32), channels="RGGB", seed=2)
    folder = write_night(sky.bias(2), sky.flat(2))
    write_night(mosaic.objects(1, split=False))
    for path in folder.iterdir():
        with fits.open(path, mode="update") as hdus:
            for card in ("EGAIN", "RDNOISE"):
                hdus[0].header.remove(card, ignore_missing=True)
    night = aw.open_night(folder)
    text = night.autowisp.info()
    assert "R G1 G2 B" in text
    assert "reduce measures from 2 flats and 2 biases" in text
    assert "cannot be measured without two flats and two biases" in text
    assert {node.path.split("/")[2] for node in night.leaves} == {"72x40", "64x20-RGGB"}


def test_frames_whose_headers_disagree_are_listed_not_raised(sky, write_night):
    folder = write_night(sky.objects(2))
    with fits.open(folder / "object-0002.fits", mode="update") as hdus:
        hdus[0].header["RDNOISE"] = 17.0
    with fits.open(folder / "object-0001.fits", mode="update") as hdus:
        hdus[0].header["RDNOISE"] = 1.0
    table = aw.open_night(folder).to_dataset()
    assert all("disagree on the camera's read_noise" in reason for reason in table["reason"].values)


def test_results_are_opened_with_what_became_of_each_frame(folder, sky, tmp_path):
    alone = aw.Matching(scale_dark=False)
    summary = aw.reduce(folder, tmp_path / "out", camera=sky.camera, matching=alone)
    assert len(summary.made) == 5
    for path in (tmp_path / "out", str(tmp_path / "out" / "night.zarr")):
        night = aw.open_night(path)
        assert sorted(node.path for node in night.leaves) == [
            "/calibrated/V_60s",
            "/masters/bias",
            "/masters/dark_5s",
            "/masters/dark_60s",
            "/masters/defects",
            "/masters/flat_V",
        ]
        table = night.to_dataset()
        xr.testing.assert_identical(table.drop_attrs(), summary.table().drop_attrs())
        fates = table["fate"].values.tolist()
        assert {fate: fates.count(fate) for fate in set(fates)} == {"used": 12, "left out": 3}
        assert set(table["product"].values.tolist()) == {
            "",
            *(made.group for made in summary.made),
        }
        assert "V_60s: bias, dark_60s, flat_V" in night.autowisp.info()
    deep = night["calibrated/V_60s"].to_dataset().autowisp.stack("mean")
    assert deep.sizes["channel"] == 1


def test_a_tree_without_a_table_is_refused():
    with pytest.raises(ValueError, match="as open_night makes it"):
        info(xr.DataTree())


def test_an_empty_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        aw.open_night(tmp_path)


def test_a_manifest_changes_nothing_and_is_read_where_results_lie_beside(
    folder, sky, tmp_path, monkeypatch
):
    for path in folder.rglob("*.fits"):
        os.utime(path, (1e9, 1e9))
    # histories state when files were opened
    clock = SimpleNamespace(now=lambda zone: datetime(2025, 1, 1, tzinfo=zone))
    monkeypatch.setattr(step_records, "datetime", SimpleNamespace(UTC=UTC, datetime=clock))
    before = sorted(folder.rglob("*"))
    given = {"camera": sky.camera}
    plain = aw.open_night(folder, **given)
    xr.testing.assert_identical(table_of_night(folder, **given), plain.to_dataset())
    for _ in range(2):
        xr.testing.assert_identical(
            aw.open_night(folder, **given, manifest=tmp_path / "out" / "night.zarr"), plain
        )
    looked = []
    monkeypatch.setattr(manifest, "scan_files", lambda files, **_: looked.extend(files) or [])
    xr.testing.assert_identical(aw.open_night(folder, **given), plain)
    xr.testing.assert_identical(aw.open_night(folder, **given, manifest=tmp_path / "out"), plain)
    assert looked == []
    assert sorted(folder.rglob("*")) == before
    with pytest.raises(FileExistsError, match="no Zarr store"):
        aw.open_night(folder, manifest=folder)

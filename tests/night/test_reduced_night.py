"""What a run has recorded of itself, as it is read again."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr.errors import AutowispError
from autowisp_xr.night import ReducedNight
from autowisp_xr.night.summary import RECORD
from tests.night.reducing import reduce


@pytest.fixture(scope="module")
def reduced(sky, tmp_path_factory):
    """Where a night was reduced, and its summary."""
    folder = tmp_path_factory.mktemp("night")
    for frames in (sky.bias(4), sky.dark(3), sky.flat(4), sky.objects(2)):
        aw.to_fits(frames, folder / "raw" / "{RAWFNAME}.fits")
    return folder / "out", reduce(folder / "raw", folder / "out")


def test_the_record_has_the_sentences_and_products_of_the_summary(reduced, monkeypatch):
    out, summary = reduced
    recorded = ReducedNight.of(out)
    text = str(summary)
    assert f"Verdict: {recorded.verdict}" == summary.verdict
    assert recorded.exit_status == summary.exit_status
    assert all(line in text for line in (*recorded.doubts, *(one.line for one in recorded.made)))
    assert recorded.notes == tuple(note for note in summary.notes if "DOUBT" not in note)
    assert [one.group for one in recorded.made] == [one.group for one in summary.made]
    science = recorded.made[-1]
    assert (science.inputs, science.masters) == (2, summary.made[-1].masters)
    assert all((out / name).exists() for one in recorded.made for name in one.files)
    assert recorded.began <= recorded.ended
    # the arguments of whoever runs the tests are no command of ours
    assert recorded.command == ""
    monkeypatch.setattr("sys.argv", ["/bin/autowisp-xr", "reduce", "my night"])
    assert summary.record()["command"] == "autowisp-xr reduce 'my night'"


def test_level_and_noise_of_each_frame_are_recorded(reduced, sky):
    out, _ = reduced
    table = ReducedNight.of(out).table
    names = [path.rsplit("/")[-1].split("-")[0] for path in table["path"].values.tolist()]
    level, noise = (table[name].values for name in ("level", "noise"))
    of = {kind: np.array([name == kind for name in names]) for kind in set(names)}
    expected = sky.camera.read_noise / sky.camera.gain
    np.testing.assert_allclose(noise[of["bias"]], expected, rtol=0.1)
    assert (noise[of["flat"]] > 3 * expected).all()
    assert (level[of["flat"]] > 2 * level[of["bias"]].max()).all()
    # of a light it is the sky, free of the bias
    raw = sky.objects(2)["image"].median().item()
    np.testing.assert_allclose(level[of["object"]], raw - level[of["bias"]].mean(), rtol=0.1)


def test_the_photon_transfer_curve_is_recorded(reduced):
    curve = ReducedNight.of(reduced[0]).curves[""]
    assert {"gain", "signal", "signal_variance"} <= set(curve)


def test_without_checks_nothing_is_measured(sky, write_night, tmp_path):
    reduce(write_night(sky.bias(2)), tmp_path / "out", camera=sky.camera, checks=False)
    recorded = ReducedNight.of(tmp_path / "out")
    assert np.isnan(recorded.table["level"].values).all()
    assert recorded.curves == {}


def test_what_is_no_result_of_reduce_or_of_an_earlier_version_is_refused(reduced, tmp_path):
    with pytest.raises(FileNotFoundError, match="no directory of results of reduce"):
        ReducedNight.of(tmp_path)
    table = reduced[1].table().assign_attrs(night="n")
    assert RECORD not in table.attrs
    table.to_zarr(tmp_path / "night.zarr", group="summary", consolidated=False)
    with pytest.raises(AutowispError, match="run reduce again"):
        ReducedNight.of(tmp_path)

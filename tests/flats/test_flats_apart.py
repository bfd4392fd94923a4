"""What a master keeps whose channels chose different frames, and frames of whole numbers."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.headers import cards

LEVELS = {"R": 9_000, "G1": 1_000, "G2": 1_000, "B": 1_000}


@pytest.fixture(scope="module")
def apart():
    night = simulate.Night(shape=(96, 96), seed=4, channels="RGGB", overscan=0)
    raw = night.flat(9, level=[8_000.0] * 3 + [20_000.0] * 6, start=1)
    frames = raw.autowisp.calibrate(bias=aw.master_bias(night.bias(8)))
    select = aw.FlatSelection(
        together=False, min_high_mean=LEVELS, max_low_mean=None, min_high_frames=5
    )
    return frames, aw.master_flat(frames, select=select)


def test_each_channel_chooses_its_own_frames(apart):
    _, flats = apart
    assert dict(flats.frames["class"].sizes) == {"frame": 9, "channel": 4}
    assert (flats.frames["class"] == "high").sum("frame").values.tolist() == [6, 9, 9, 9]
    np.testing.assert_array_equal(flats.high["count"].max(("y", "x")), [6, 9, 9, 9])


def test_the_master_keeps_its_place_and_what_its_channels_have_in_common(apart):
    frames, flats = apart
    for name in ("y", "x", "y_offset", "x_step", "channel"):
        assert flats.high[name].variable.equals(frames[name].variable)
    assert (str(flats.high["filter"].values), float(flats.high["exposure"])) == ("V", 5.0)
    header = cards.parse_header(str(flats.high["header"].values))
    assert header["FILTER"] == "V"
    assert "NUMFCOMB" not in header  # 6 frames here, 9 there
    other = frames.isel(frame=[0]).assign_coords(
        filter=("frame", np.array(["R"], dtype=np.dtypes.StringDType()))
    )
    with pytest.raises(aw.MasterMismatchError, match="filter"):
        aw.divide_flat(other, flats.high)


def test_clouds_are_those_of_the_channels_with_a_reference(apart):
    frames, _ = apart
    levels = {**LEVELS, "R": 60_000}
    select = aw.FlatSelection(
        together=False, min_high_mean=levels, max_low_mean=None, min_high_frames=5
    )
    with pytest.warns(aw.AutowispWarning, match="^R: no high master flat: 0 of 9"):
        flats = aw.master_flat(frames, select=select)
    assert flats.high["channel"].values.tolist() == ["G1", "G2", "B"]
    clouds = flats.clouds("flat-0005")
    assert clouds["channel"].values.tolist() == ["G1", "G2", "B"]
    assert float(abs(clouds).max()) < 0.05


def test_calibrated_frames_of_whole_numbers_are_flats_too(apart):
    frames, _ = apart
    whole = frames.assign(image=frames["image"].round().astype("uint16"))
    flats = aw.master_flat(whole, select=aw.FlatSelection.dome(min_high_frames=5))
    assert flats.high["image"].dtype == np.float32
    assert float(flats.high["image"].mean()) == pytest.approx(1.0, abs=0.01)

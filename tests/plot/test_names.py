import numpy as np
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr.plot.figures import ending
from autowisp_xr.plot.frames import description, whole_name
from tests.steps.frames import text


def test_a_frame_is_described_by_what_is_known_of_it():
    raw = aw.simulate.Night(shape=(4, 6)).objects(2).isel(frame=1)
    assert whole_name(raw) == "object-0002"
    assert description(raw) == "object M42, V, 60 s, 2024-03-01 21:01:40 UTC"


def test_what_is_not_known_is_not_description():
    raw = aw.simulate.Night(shape=(4, 6)).bias(1).isel(frame=0)
    assert description(raw) == "bias, 0 s, 2024-03-01 18:30:00 UTC"
    unknown = {"time": np.datetime64("NaT", "ns"), "exposure": np.nan, "filter": " "}
    assert description(raw.assign_coords(unknown)) == "bias"
    assert description(xr.Dataset()) == ""
    assert description(xr.Dataset(coords={"exposure": ("frame", [1.0])})) == ""


def test_a_master_is_reported_by_the_number_of_its_frames():
    bias = aw.master_bias(aw.simulate.Night(shape=(4, 6)).bias(3))
    assert whole_name(bias) == "stack of 3"
    assert whole_name(bias.drop_vars("header")) == "stack"
    assert whole_name(xr.Dataset(coords={"header": ("frame", text("A"))})) == "stack"


@given(st.text(max_size=30), st.integers(1, 24))
def test_a_long_name_keeps_its_end(name, longest):
    short = ending(name, longest)
    assert len(short) == min(len(name), longest)
    assert name.endswith(short if len(name) <= longest else short.removeprefix("…"))

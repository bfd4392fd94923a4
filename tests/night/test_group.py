from types import SimpleNamespace

import pytest

from autowisp_xr import io
from autowisp_xr.io import FileRecord
from autowisp_xr.night import group


def record(path, kind, exposure=10.0, band="", gain=float("nan"), shape=(4, 6), **more):
    """A record as scan would give it, with only what grouping looks at."""
    plane = SimpleNamespace(height=shape[0], width=shape[1])
    layout = SimpleNamespace(planes={"image": plane})
    coordinates = {"image_type": kind, "exposure": exposure, "filter": band, "gain": gain}
    return FileRecord(path=path, layout=layout, coordinates=coordinates, **more)


def test_frames_are_grouped_by_type_filter_and_exposure():
    records = [
        record("b", "bias", 0.0),
        record("d1", "dark", 60.0),
        record("d2", "dark", 60.3),
        record("d3", "dark", 30.0),
        record("f1", "flat", 5.0, "V"),
        record("f2", "flat", 7.0, "V"),
        record("f3", "flat", 5.0, "R"),
        record("o1", "object", 60.0, "V"),
        record("o2", "object", 60.0, "R"),
        record("o3", "object", 30.0, "V"),
    ]
    (setup,), left_out = group.sort_frames(records)

    def paths(groups):
        return {key: [member.path for member in members] for key, members in groups.items()}

    assert left_out == {}
    assert [member.path for member in setup.bias] == ["b"]
    assert paths(setup.dark) == {60.0: ["d1", "d2"], 30.0: ["d3"]}
    assert paths(setup.flat) == {"V": ["f1", "f2"], "R": ["f3"]}
    assert paths(setup.science) == {("V", 60.0): ["o1"], ("R", 60.0): ["o2"], ("V", 30.0): ["o3"]}


def test_sizes_channels_and_gain_settings_are_kept_apart():
    records = [
        record("a", "bias"),
        record("b", "bias", shape=(8, 6)),
        record("c", "bias", gain=100.0),
        record("d", "bias", facts={"channels": "RGGB"}),
    ]
    setups, _ = group.sort_frames(records)
    assert [setup.name for setup in setups] == ["6x4", "6x8", "6x4-gain100", "6x4-RGGB"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record("x", "other"), "no known type"),
        (record("x", "dark", float("nan")), "exposure is not known"),
        (record("x", "object", float("nan")), "exposure is not known"),
        (FileRecord(path="x", error=OSError("x: too short")), "too short"),
    ],
)
def test_what_takes_no_part_has_a_reason(bad, reason):
    setups, left_out = group.sort_frames([bad, record("good", "bias")])
    assert [member.path for member in setups[0].bias] == ["good"]
    assert reason in left_out["x"]


def test_masters_and_products_are_not_inputs(sky, write_night):
    import autowisp_xr as aw

    folder = write_night(sky.bias(2))
    bias = aw.master_bias(sky.bias(3))
    aw.to_fits(bias, folder / "master.fits")
    science = aw.calibrate(sky.objects(1), bias=bias)
    aw.to_fits(science, folder / "product.fits")
    (setup,), left_out = group.sort_frames(io.scan(folder))
    assert len(setup.bias) == 2
    reasons = {path.rpartition("/")[2]: reason for path, reason in left_out.items()}
    assert "a master already" in reasons["master.fits"]
    assert "calibrated already" in reasons["product.fits"]


def test_a_filter_cannot_lead_a_file_name_astray():
    names = group.names_for(["z", "Sloan g' (v2)", "../up", "/", "g", "g'", "G*", "g"])
    assert list(names.values()) == ["z", "Sloan-g-v2", "up", "unnamed", "g", "g-2", "G-3"]

import numpy as np
import pytest

from autowisp_xr import frames
from autowisp_xr.matching import Matching
from autowisp_xr.night import sort_frames
from autowisp_xr.night.file_traits import nights_of
from tests.night.test_frame_sets import paths, record


def at(path, time, kind="object", **more):
    return record(path, kind, time=np.datetime64(time, "ns"), **more)


TWO_NIGHTS = [
    at("f1", "2024-03-05T17:30", "flat", band="V"),
    at("o1", "2024-03-05T22:00", band="V"),
    at("o2", "2024-03-06T04:00", band="V"),
    at("d1", "2024-03-06T11:00", "dark"),
    at("f2", "2024-03-06T17:35", "flat", band="V"),
    at("o3", "2024-03-07T03:00", band="V"),
    at("b1", "NaT", "bias"),
]


def test_a_night_lasts_over_midnight_and_is_called_by_its_evening():
    found = nights_of(TWO_NIGHTS)
    assert found == {
        **dict.fromkeys(("f1", "o1", "o2"), "2024-03-05"),
        **dict.fromkeys(("d1", "f2", "o3"), "2024-03-06"),
    }


@pytest.mark.parametrize("hours", [5, 10, 20])
def test_wherever_on_earth_a_night_is_one(hours):
    """Its frames may cross midnight, or noon, of UTC."""
    start = np.datetime64("2024-03-05T00:00", "ns") + np.timedelta64(hours, "h")
    night = [at(str(i), start + np.timedelta64(i, "h")) for i in range(11)]
    assert len(set(nights_of(night).values())) == 1


def test_where_light_is_seen_all_day_no_night_is_distinguished_from_the_next():
    frames = [at(str(i), f"2024-03-0{1 + i // 8}T{3 * (i % 8):02d}:00") for i in range(16)]
    assert nights_of(frames) == {}


def test_flats_and_science_frames_are_parted_by_night():
    found, left_out, _ = sort_frames(TWO_NIGHTS)
    assert left_out == {}
    assert paths(found) == {
        "bias": ["b1"],
        "dark_10s": ["d1"],
        "flat_V_2024-03-05": ["f1"],
        "flat_V_2024-03-06": ["f2"],
        "V_10s_2024-03-05": ["o1", "o2"],
        "V_10s_2024-03-06": ["o3"],
    }


def test_the_user_decides_what_frames_are_parted_by():
    frames = [
        at("o1", "2024-03-05T22:00", object="M31"),
        at("o2", "2024-03-06T22:00", object="M31"),
        at("o3", "2024-03-06T23:00", object="M33"),
    ]

    def names(*by):
        found, *_ = sort_frames(frames, matching=Matching(group_by=by))
        return paths(found)

    assert names() == {"10s": ["o1", "o2", "o3"]}
    assert names("target") == {"10s_M31": ["o1", "o2"], "10s_M33": ["o3"]}
    assert sorted(names("night", "target").values()) == [["o1"], ["o2"], ["o3"]]
    biases = [at("b1", "2024-03-05T22:00", "bias"), at("b2", "2024-03-07T22:00", "bias")]
    assert len(sort_frames(biases, matching=Matching(group_by="night"))[0]) == 2


def test_biases_of_several_nights_are_one_set_until_pixels_are_looked_at():
    biases = [at("b1", "2024-03-05T22:00", "bias"), at("b2", "2024-03-07T22:00", "bias")]
    found, _, notes = sort_frames(biases)
    assert paths(found) == {"bias": ["b1", "b2"]}
    assert "nights of 2024-03-05, 2024-03-07: reduce makes one master" in notes[0]


@pytest.mark.parametrize(("step", "masters"), [(0.0, 1), (20.0, 2)])
def test_biases_of_several_nights_part_where_their_levels_differ(step, masters, sky, write_night):
    first, second = sky.bias(3), sky.bias(3, start=4)
    raised = second["image"] + np.uint16(step)
    second = second.assign(image=raised).assign_coords(time=second["time"] + np.timedelta64(3, "D"))
    folder = write_night(first, _later(second))
    found, _, notes = sort_frames(frames.scan(folder), look=True)
    assert len(found) == masters
    expected = "their levels agree" if masters == 1 else "their levels are"
    assert any(expected in note for note in notes)


def _later(ds):
    """The same frames, their headers three days later."""
    headers = [str(text) for text in ds["header"].values]
    moved = [text.replace("2024-03-01", "2024-03-04") for text in headers]
    assert moved != headers
    return ds.assign_coords(header=("frame", np.array(moved, np.dtypes.StringDType())))

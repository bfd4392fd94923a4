"""A night of a camera whose amplifiers are images of their own."""

import re

import numpy as np
import pytest

import autowisp_xr as aw
from tests.fits.mosaics import Amp, Style
from tests.night.reducing import reduce

AMPS = (Amp(0, 40, 0, 48, 1.2, 5.0, 400.0), Amp(40, 80, 0, 48, 2.4, 9.0, 600.0, left=True))


@pytest.fixture
def expose(tmp_path):
    """Biases, flats and an object; ``stated`` are cards of each amplifier beside its sections."""

    def write(stated):
        def cards(style, number):
            sections = style.sections(number)
            return {name: sections[name] for name in ("DETSEC", "DATASEC", "BIASSEC")} | stated[
                number
            ]

        style = Style("small", AMPS, cards)
        rng = np.random.default_rng(5)
        folder = tmp_path / "night"
        folder.mkdir()
        for start, (kind, level) in enumerate((("zero", 0.0), ("flat", 3e4), ("object", 300.0))):
            for i in range(4 if kind != "object" else 1):
                stored, *_ = style.read(rng, np.full(style.shape, level))
                style.write(
                    folder / f"{kind}{i}.fits",
                    stored,
                    OBSTYPE=kind,
                    EXPTIME=10.0 if level else 0.0,
                    SATURATE=65000,
                    **({"FILTER": "r"} if level else {}),
                    **{"DATE-OBS": f"2024-03-05T0{start}:{i:02d}:00"},
                )
        return folder

    return write


def reduced(folder, tmp_path, **known):
    summary = reduce(folder, tmp_path / "out", **known)
    made = aw.open_zarr(tmp_path / "out" / "night.zarr", group=summary.made[-1].group)
    return made.autowisp.camera, "\n".join(summary.notes)


def test_what_headers_state_of_each_amplifier_is_used_where_the_night_agrees(expose, tmp_path):
    folder = expose([{"GAIN": amp.gain, "RDNOISE": amp.read_noise} for amp in AMPS])
    camera, text = reduced(folder, tmp_path)
    assert [one.gain for one in camera.amplifiers] == [1.2, 2.4]
    assert "DOUBT" not in text
    assert "2 amplifiers, gain 1.2 to 2.4 e/ADU, read noise 5 to 9 e" in text


def test_each_amplifier_is_measured_where_headers_state_nothing(expose, tmp_path):
    camera, text = reduced(expose([{"AMPNAME": "L"}, {"AMPNAME": "R"}]), tmp_path)
    for one, amp in zip(camera.amplifiers, AMPS, strict=True):
        assert one.gain == pytest.approx(amp.gain, rel=0.1)
        assert one.read_noise == pytest.approx(amp.read_noise, rel=0.15)
    assert re.search(r"measured from 4 flats and 4 biases: L \(.*gain 1\.\d+ e/ADU.*; R \(", text)


def test_a_gain_of_one_amplifier_that_is_off_is_reported_and_measured(expose, tmp_path):
    stated = [{"GAIN": 3.6, "RDNOISE": 15.0}, {"GAIN": 2.4, "RDNOISE": 9.0}]
    folder = expose(stated)
    camera, text = reduced(folder, tmp_path)
    assert camera.amplifiers[0].gain == pytest.approx(1.2, rel=0.1)
    assert camera.amplifiers[1].gain == 2.4
    assert re.search(
        r"DOUBT: the gain of 1 of 2 amplifiers in the headers differs.*3\.6, meas", text
    )
    camera, text = reduced(folder, tmp_path / "b", camera=aw.Camera(gain=2.0, read_noise=5.0))
    assert (camera.gain, [one.gain for one in camera.amplifiers]) == (2.0, [None, None])
    assert "DOUBT" not in text


def test_the_camera_of_one_amplifier_is_what_it_reads():
    camera = aw.Camera(
        image_area="[3:18,1:8]",
        overscan="[1:2,1:8]",
        amplifiers=[
            {"region": "[1:10,1:8]", "gain": 2.0},
            {"region": "[11:18,1:8]", "overscan": "[19:20,1:8]"},
        ],
        gain=1.5,
        read_noise=5.0,
    )
    left, right = (camera.of_amplifier(number) for number in (0, 1))
    assert (left.gain, left.image_area.xmin, left.overscan[0].xmax) == (2.0, 2, 2)
    assert (right.gain, right.image_area.xmin, right.overscan[0].xmin) == (1.5, 10, 18)
    assert left.amplifiers == right.amplifiers == ()
    with pytest.raises(aw.CalibrationError, match="reads nothing of the image area"):
        aw.Camera(image_area="[1:2,1:2]", amplifiers=["[5:6,1:2]"]).of_amplifier(0)

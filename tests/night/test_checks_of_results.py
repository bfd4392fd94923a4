"""What is doubtful about the results of a night is reported, in summary and headers."""

import re

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from tests.night.reducing import reduce

SHAPE = (128, 192)
GAIN, NOISE, OFFSET = 1.5, 6.0, 500.0
CAMERA = aw.Camera(gain=GAIN, read_noise=NOISE)


class Site:
    """Writes the frames of a night, each as it should be but for what is given."""

    def __init__(self, folder):
        self.folder = folder
        self.rng = np.random.default_rng(3)
        self.rate = self.rng.gamma(2.0, 0.05, SHAPE)
        self.response = 1 - 0.2 * np.linspace(-1, 1, SHAPE[1]) ** 2
        self.written = 0
        folder.mkdir()

    def expose(
        self, kind, number, *, seconds=60.0, level=0.0, offset=OFFSET, becomes=None, rate=None
    ):
        """Write frames; ``becomes`` makes other pixels of those that were read, by their index."""
        current = self.rate if rate is None else rate
        for index in range(number):
            light = (level * self.response + current * seconds) * GAIN
            electrons = self.rng.poisson(light) + self.rng.normal(0, NOISE, SHAPE)
            pixels = np.rint(offset + electrons / GAIN)
            if becomes:
                pixels = becomes(pixels, index)
            header = fits.Header({"IMAGETYP": kind, "EXPTIME": seconds, "FILTER": "V"})
            self.written += 1
            header["DATE-OBS"] = f"2024-03-05T01:{self.written:02d}:00"
            pixels = np.clip(pixels, 0, 65535).astype("u2")
            fits.writeto(self.folder / f"{kind}{index}.fits", pixels, header, overwrite=True)

    def night(self, **changed):
        """Frames of all kinds; ``changed`` names what is other with those of a kind."""
        plan = {
            "bias": {"number": 5, "seconds": 0.0},
            "dark": {"number": 5},
            "flat": {"number": 5, "seconds": 2.0, "level": 20000.0},
            "object": {"number": 4, "level": 300.0},
        }
        for kind, given in plan.items():
            self.expose(kind, **(given | changed.get(kind, {})))

    def reduce(self, **options):
        """The summary of the night, and its doubts."""
        out = self.folder.parent / "out"
        options = {"camera": CAMERA} | options
        summary = reduce(self.folder, out, overwrite=True, **options)
        notes = [*summary.notes, *(note for made in summary.made for note in made.notes)]
        return summary, [note for note in notes if note.startswith("DOUBT")]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "raw")


def made_of(summary, kind):
    return next(made for made in summary.made if made.group.startswith(kind))


def comments(path):
    return " ".join(map(str, fits.getheader(path).get("COMMENT", "")))


def test_a_good_night_is_not_doubted(site):
    site.night()
    summary, doubts = site.reduce()
    assert doubts == []
    assert summary.left_out == summary.failed == {}
    assert comments(made_of(summary, "calibrated").files[0]) == ""


def test_empty_frames_take_no_part(site):
    def black(pixels, index):
        return pixels * 0 if index == 1 else pixels

    site.night(**{kind: {"becomes": black} for kind in ("bias", "flat", "object")})
    site.expose("dark", 1, becomes=lambda pixels, index: pixels * 0 + 65535)
    summary, doubts = site.reduce()
    left_out = {path.rpartition("/")[2]: why for path, why in summary.left_out.items()}
    assert sorted(left_out) == ["bias1.fits", "dark0.fits", "flat1.fits", "object1.fits"]
    assert left_out["bias1.fits"].startswith("all pixels are 0: the frame is empty")
    assert "the largest value: saturated" in left_out["dark0.fits"]
    assert len(made_of(summary, "masters/bias").inputs) == 4
    assert doubts == []


def test_a_frame_of_which_rows_are_missing_is_a_doubt(site):
    def cut(pixels, index):
        pixels[70:] = np.where(index == 2, 0, pixels[70:])
        return pixels

    site.night(object={"becomes": cut})
    summary, doubts = site.reduce()
    assert summary.left_out == {}
    assert any("1 of 4 frames (object2) of the type object: whole rows" in one for one in doubts)


def test_frames_below_zero_are_reported_with_what_they_were_corrected_by(site):
    site.night(object={"offset": OFFSET - 400, "level": 0.0})
    summary, doubts = site.reduce()
    (line,) = doubts
    assert re.search(
        r"median is below zero in all 4 frames, down to -\d+[.\d]* ADU where the uncertainty is "
        r"\d[.\d]* ADU, and \d+\.?\d* % of the pixels by more than 5 sigma: bias and dark_60s lie "
        r"higher",
        line,
    )
    assert line in made_of(summary, "calibrated").notes
    assert line in comments(made_of(summary, "calibrated").files[-1])


def test_a_dark_that_is_brighter_than_the_lights_is_reported(site):
    site.night(dark={"level": 320.0})
    _, doubts = site.reduce()
    assert any("lit by a leak" in line for line in doubts)


def test_darks_below_the_biases_are_reported(site):
    site.night(dark={"offset": OFFSET - 50})
    summary, doubts = site.reduce()
    assert any(re.search(r"the darks lie 4\d\.?\d* ADU below the bias bias", d) for d in doubts)
    assert "below the bias" in comments(made_of(summary, "masters/dark").files[0])


def test_an_average_of_darks_whose_bias_is_off_is_reported_where_no_noise_is_known(site):
    site.night(bias={"number": 1}, dark={"number": 1, "offset": 0.0}, flat={"number": 0})
    _, doubts = site.reduce(camera=aw.Camera())
    assert any(re.search(r"the darks lie 49\d\.?\d* ADU below the bias bias", d) for d in doubts)
    site.expose("dark", 1)
    assert site.reduce(camera=aw.Camera())[1] == []


@pytest.mark.parametrize(
    ("changed", "doubted"),
    [({"offset": OFFSET + 60}, True), ({"level": 60.0}, False), ({"offset": OFFSET + 6}, False)],
)
def test_darks_with_a_level_that_makes_no_noise_are_reported(site, changed, doubted):
    site.night(dark=changed)
    summary, doubts = site.reduce()
    assert len(doubts) == doubted
    for line in doubts:
        assert re.search(
            r"the darks lie 6\d\.?\d* ADU above the bias bias, where their noise of 4\.\d* ADU has "
            r"room for \d\.?\d* ADU of dark current \(6\d\.?\d* would make 7\.\d*\)",
            line,
        )
        assert line in comments(made_of(summary, "masters/dark").files[0])


@pytest.mark.parametrize(
    ("level", "stated"),
    [(2000.0, r"1\d\d\d ADU, .*twilight"), (20.0, r"1\d[.\d]* ADU, .*closed")],
)
def test_a_sky_that_differs_from_its_set_is_reported(site, level, stated):
    site.night(object={"level": level})
    site.expose("object", 3, level=300.0)
    summary, doubts = site.reduce()
    (line,) = doubts
    assert re.search(rf"the sky of 1 of 4 frames \(object3\) is {stated}", line)
    described = [line in comments(path) for path in made_of(summary, "calibrated").files]
    assert described == [False, False, False, True]


def test_the_sky_is_compared_within_a_target(site):
    site.night(object={"number": 6, "becomes": lambda p, i: p + 900 * (i > 2) - 850 * (i == 5)})

    def doubted():
        return next(line for line in site.reduce()[1] if "the sky of" in line)

    assert "of 2 of 6 frames (object3, object4) is" in doubted()
    for index in range(6):
        target = "M 42" if index > 2 else "M 31"
        fits.setval(site.folder / f"object{index}.fits", "OBJECT", value=target)
    line = doubted()
    assert re.search(r"of 1 of 6 frames \(object5\) is .* that of the frames of M 42 is", line)
    assert "clouds, or a dome or cap" in line


def test_a_dark_sky_without_known_uncertainties_is_not_doubted(site):
    site.night(flat={"number": 0}, object={"number": 6, "level": 0.3})
    summary = reduce(site.folder, site.folder.parent / "out")
    assert not made_of(summary, "calibrated").noise_known
    assert "DOUBT" not in str(summary)


def test_frames_that_lie_below_zero_are_doubted_without_known_uncertainties(site):
    site.night(flat={"number": 0}, object={"level": 0.0, "offset": OFFSET - 40})
    summary = reduce(site.folder, site.folder.parent / "out")
    (line,) = [note for note in made_of(summary, "calibrated").notes if "below zero" in note]
    assert re.match(r"DOUBT: the median is .* down to -4\d.* uncertainty is [\d.]+ ADU: bias", line)


@pytest.mark.parametrize("kind", ["bias", "flat", "object"])
def test_pixels_that_a_driver_gave_again_are_a_doubt(site, kind):
    site.night()
    first, *others = (site.folder / f"{kind}{index}.fits" for index in (1, 2, 3))
    for path in others:
        fits.writeto(path, fits.getdata(first), fits.getheader(path), overwrite=True)
    _, doubts = site.reduce()
    (line,) = [line for line in doubts if "a driver" in line]
    assert re.search(rf"of 3 of \d frames \({kind}1, {kind}2, {kind}3\) of \w+ are the same", line)
    assert f"--type '{kind}3.fits=other'" in line


def test_noise_that_the_errors_do_not_know_is_reported(site):
    site.night(object={"becomes": lambda pixels, i: pixels + site.rng.normal(0, 12, SHAPE)})
    _, doubts = site.reduce()
    (line,) = doubts
    assert re.search(r"blank parts of all 4 frames have 1\.\d+ times the noise that their", line)


def test_one_frame_of_a_warm_sensor_is_named_though_others_are_looked_at(site):
    def warm(pixels, index):
        return pixels + (index == 2) * np.rint(3 * 60 * site.rate)

    site.night(object={"number": 7, "becomes": warm})
    summary, doubts = site.reduce()
    (line,) = doubts
    assert re.search(
        r"blank parts of 1 of 7 frames \(object2\) have 1\.[23]\d* times the noise that their "
        r"uncertainties imply, where those of the others have [01]\.?\d*: the dark dark_60s "
        r"does not fit: (2\.\d|3) times its pattern is left",
        line,
    )
    frames = made_of(summary, "calibrated").files
    assert [bool(comments(path)) for path in frames] == [index == 2 for index in range(7)]


def test_less_noise_than_errors_state_is_reported(site):
    def smoothed(pixels, index):
        return (pixels + np.roll(pixels, 1, 0) + np.roll(pixels, 1, 1)) / 3

    site.night(object={"becomes": smoothed})
    _, doubts = site.reduce()
    assert any("smoothed or resampled before" in line for line in doubts)


@pytest.mark.parametrize(("axis", "name"), [(0, "rows"), (1, "columns")])
def test_rows_and_columns_that_move_together_are_reported(site, axis, name):
    shape = [1, 1]
    shape[axis] = SHAPE[axis]
    site.night(object={"becomes": lambda p, i: p + site.rng.normal(0, 15, shape)})
    _, doubts = site.reduce()
    assert any(line.startswith(f"DOUBT: {name} move together in all 4 frames") for line in doubts)
    assert not any("rows" in line and "columns" in line for line in doubts)


@pytest.mark.parametrize(("factor", "stated"), [(3.0, r"taken off too much"), (0.2, r"left")])
def test_a_dark_that_does_not_fit_is_named(site, factor, stated):
    rate = site.rng.gamma(2.0, 0.5, SHAPE)
    site.night(dark={"rate": factor * rate}, object={"rate": rate, "level": 3000.0})
    _, doubts = site.reduce()
    assert any(
        re.search(rf"dark dark_60s does not fit: [.\d]+ times its pattern is {stated}", line)
        for line in doubts
    )


def test_flats_of_another_shape_are_reported(site):
    slope = np.linspace(0.9, 1.1, SHAPE[0])[:, None]
    dust = np.ones(SHAPE)
    dust[20:40, 20:40] = 0.9
    site.night(
        flat={"becomes": lambda p, i: (p - OFFSET) * slope ** (i == 2) * dust ** (i > 2) + OFFSET}
    )
    summary, doubts = site.reduce()
    line, moved = sorted(doubts)
    assert re.search(r"the flats from flat3 on differ .* by [.\d]+ % about the pixel", moved)
    assert re.search(r"1 of 5 frames \(flat2\) differ in shape .* up to [\d.]+ % from", line)
    assert line in comments(made_of(summary, "masters/flat").files[0])


def test_glow_in_a_dark_that_is_scaled_is_reported(site):
    glow = np.zeros(SHAPE)
    glow[:40, :40] = 10.0
    site.night(dark={"seconds": 120.0, "rate": site.rate + glow})
    _, doubts = site.reduce()
    assert any(re.search(r"the dark dark_120s glows: 1\d\d\d ADU about", line) for line in doubts)


@pytest.mark.parametrize("kind", ["bias", "dark"])
def test_a_level_that_wanders_is_reported(site, kind):
    site.night(**{kind: {"becomes": lambda pixels, index: pixels + 3 * index}})
    _, doubts = site.reduce()
    assert any(f"the level of the {kind} frames {kind}" in line for line in doubts)

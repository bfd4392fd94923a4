import json

import pytest
from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.errors import HeaderError
from autowisp_xr.frames.names import bare_name, fill_template, raw_name


def names_of(paths):
    return schema.unique_names(paths, [bare_name(path) for path in paths])


def test_raw_names_are_those_of_the_original(shared):
    case = shared / "oracle" / "rawfname" / "expected.json"
    if not case.exists():
        pytest.skip("no golden case rawfname")
    for row in json.loads(case.read_text()):
        assert raw_name(row["path"]) == row["RAWFNAME"]


def test_frames_of_one_name_get_the_shortest_tail_that_distinguishes_them():
    assert names_of(["/d/n1/r/a.fits", "/d/n2/r/a.fits", "/d/n2/r/b.fits"]) == [
        "n1/r/a",
        "n2/r/a",
        "b",
    ]
    assert names_of(["/d/a.fits", "/d/a.fits.fz"]) == ["a.fits", "a.fits.fz"]


def test_a_template_is_filled_in_any_format():
    header = fits.Header({"FNUM": 7, "JD-OBS": 2460000.25, "RAWFNAME": "r1"})
    assert fill_template("{RAWFNAME}_{FNUM:04d}_{JD-OBS:.1f}_{CLRCHNL}", header) == (
        "r1_0007_2460000.2_mono"
    )
    assert fill_template("{CLRCHNL}", header, {"CLRCHNL": "R"}) == "R"


@pytest.mark.parametrize(("value", "clean"), [("a/b\\c", "a_b_c"), ("..", "_"), ("x\x00y", "x_y")])
def test_a_value_never_chooses_the_directory(value, clean):
    assert fill_template("out/{K}.fits", fits.Header(), {"K": value}) == f"out/{clean}.fits"


@pytest.mark.parametrize("template", ["{NONE}.fits", "{RAWFNAME.__class__}", "{}", "{FNUM:q}", "{"])
def test_a_template_that_cannot_be_filled_is_quoted(template):
    with pytest.raises(HeaderError) as caught:
        fill_template(template, fits.Header({"RAWFNAME": "r1", "FNUM": 7}))
    assert repr(template) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["a.fits", "a.FIT", "a.fts.gz", "a.fit.bz2", "a.fits.fz", "a.fz", "a.Fits.FZ.GZ"]
)
def test_a_frame_is_called_what_its_file_is_without_the_endings(name):
    assert bare_name(f"night/{name}") == "a"
    assert names_of([f"night/{name}"]) == ["a"]


def test_a_name_that_no_file_can_have_is_cut_off_with_a_digest():
    names = ["x" * 300, "x" * 299 + "y", "\u661f" * 85]
    cut = [fill_template("out/{K}_R.fits.fz", fits.Header(), {"K": name}) for name in names]
    assert len({*cut}) == 3
    for path in cut:
        assert path.startswith("out/")
        assert path.endswith(".fits.fz")
        assert 250 <= len(path.removeprefix("out/").encode()) <= 255
    assert fill_template("{K}.fits", fits.Header(), {"K": "x" * 250}) == "x" * 250 + ".fits"

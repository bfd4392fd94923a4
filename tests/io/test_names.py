import json
from pathlib import Path

import pytest
from astropy.io import fits

from autowisp_xr.errors import AutowispError, HeaderError
from autowisp_xr.io.names import fill_template, find_files, frame_names, raw_name


def touch(directory: Path, *names: str) -> list[str]:
    paths = [directory / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return [str(path) for path in paths]


def test_raw_names_are_those_of_the_original(shared):
    case = shared / "oracle" / "rawfname" / "expected.json"
    if not case.exists():
        pytest.skip("no golden case rawfname")
    for row in json.loads(case.read_text()):
        assert raw_name(row["path"]) == row["RAWFNAME"]


def test_a_directory_gives_its_fits_files_in_natural_order(tmp_path):
    touch(tmp_path, "f10.fits", "f9.FIT", "f9b.fts.gz", "f1.fits.fz", "notes.txt", "deep/f0.fits")
    touch(tmp_path, ".f2.fits", "f3.fits.part")
    names = [Path(path).name for path in find_files(tmp_path)]
    assert names == ["f1.fits.fz", "f9.FIT", "f9b.fts.gz", "f10.fits"]


def test_a_list_keeps_its_order_and_gives_each_file_once(tmp_path):
    b, a = touch(tmp_path, "b.fits", "a.fits")
    assert find_files([b, str(tmp_path / "*.fits"), Path(a)]) == [b, a]


def test_a_file_with_brackets_in_its_name_is_no_pattern(tmp_path):
    (path,) = touch(tmp_path, "m[31].fits")
    assert find_files(path) == [path]


@pytest.mark.parametrize("name", ["none*.fits", "none.fits"])
def test_what_is_not_there_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="none") as caught:
        find_files(tmp_path / name)
    assert isinstance(caught.value, AutowispError)


def test_an_empty_list_and_an_empty_directory_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file was named"):
        find_files([])
    with pytest.raises(FileNotFoundError, match="holds no FITS file"):
        find_files(tmp_path)


def test_frames_of_one_name_get_the_shortest_tail_that_tells_them_apart():
    assert frame_names(["/d/n1/r/a.fits", "/d/n2/r/a.fits", "/d/n2/r/b.fits"]) == [
        "n1/r/a",
        "n2/r/a",
        "b",
    ]
    assert frame_names(["/d/a.fits", "/d/a.fits.fz"]) == ["a.fits", "a.fits.fz"]


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

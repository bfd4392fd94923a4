"""The page about a night: what is in it, and that nothing in it can do harm."""

import re
import sys
import time

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr.cli import main
from autowisp_xr.errors import MissingPackageError
from autowisp_xr.report.charts import Series, course
from tests.night.reducing import reduce
from tests.report.conftest import HOSTILE, HOSTILE_NAME, Page


def test_the_verdict_comes_first_then_doubts_and_all_else(page, reduced):
    text, elements = page
    lead = elements.text("p", **{"class": "lead"})
    assert lead == reduced[1].verdict.removeprefix("Verdict: ").partition(";")[0] + "."
    assert elements.of("div", **{"class": "verdict partial"})
    assert len(elements.of("ul", **{"class": "numbers"})) == 1
    order = [one["id"] for one in elements.of("section")]
    assert order == ["doubts", "flow", "lights", "masters", "frames", "camera", "left-out", "made"]
    assert text.index('class="lead"') < text.index("<section")


def test_each_master_has_its_picture_histogram_and_numbers(page, reduced):
    _, elements = page
    made = [one for one in reduced[1].made if one.is_master]
    cards = {one["id"]: one["text"] for one in elements.of("article")}
    for one in made:
        card = cards[one.group.replace("/", "-").replace("_", "-")]
        assert f"of {len(one.inputs)} frames" in card
        assert "Uncertainty of a pixel" in card
        assert any(one.frames.path in image["alt"] for image in elements.of("img"))
    charts = [one["aria-label"] for one in elements.of("div", role="img")]
    assert sum("which value" in label for label in charts) == len(made)
    assert "bias" in cards["masters-dark-60s"]


def test_frames_are_shown_before_and_after_and_against_time(page):
    _, elements = page
    alts = [image["alt"] for image in elements.of("img")]
    assert any(alt.endswith("as read") for alt in alts)
    assert any(alt.endswith(", calibrated") for alt in alts)
    labels = " ".join(one["aria-label"] for one in elements.of("div", role="img"))
    assert re.search(r"bias, 4 frames: level 9\d\d.* to 10\d\d.* ADU, noise", labels)
    assert "gain" in labels
    # a row for each file: biases, darks, flats, lights and the odd one
    assert len(elements.of("th", scope="row")) == 14 + len(elements.of("article"))


def test_a_frame_before_and_after_is_shown_in_the_same_area(tmp_path):
    sky = aw.simulate.Night(shape=(40, 56), seed=5, overscan=16)
    for frames in (sky.bias(3), sky.objects(1)):
        aw.to_fits(frames, tmp_path / "raw" / "{RAWFNAME}.fits")
    reduce(tmp_path / "raw", tmp_path / "out", camera=sky.camera, fits=False)
    images = Page(aw.report(tmp_path / "out").read_text(encoding="utf-8")).of("img")
    shown = [one for one in images if one["alt"].endswith(("as read", ", calibrated"))]
    assert [(one["width"], one["height"]) for one in shown] == [("56", "40")] * 2


def test_what_corrects_what_is_drawn_and_stated_in_words(page, reduced):
    _, elements = page
    wide, narrow = elements.of("svg", role="group")
    assert (wide["class"], narrow["class"]) == ("flow wide", "flow narrow")
    assert "4 biases: \u221210 °C" in wide["text"]
    assert "1 other file: left out" in wide["text"]
    # each from its frames, bias to dark, both to the flat, and all three to the lights
    assert len(elements.of("polygon")) == 2 * (4 + 3 + 3)
    words = elements.text("section", id="flow")
    (line,) = (one for one in str(reduced[1]).splitlines() if one.startswith("master dark"))
    assert line[1:] in words


def test_what_was_left_out_is_listed_with_its_reason(page, reduced):
    _, elements = page
    (reason,) = reduced[1].left_out.values()
    section = elements.text("section", id="left-out")
    assert HOSTILE_NAME in section
    assert reason.partition(";")[0][-30:] in section


def test_headers_and_names_of_files_stay_text(page):
    text, elements = page
    assert HOSTILE in " ".join(one["text"] for one in elements.of("p"))
    assert "<script" not in text
    assert "<img src=x" not in text
    assert not [key for one in elements.elements for key in one if key.startswith("on")]


def test_names_of_sets_stay_text_in_charts():
    time = np.array(["2026-01-01", "NaT"], "datetime64[ns]")
    sets = [
        Series(name, time, np.array([1.0, 2]), np.array([np.nan, 1])) for name in (HOSTILE, "$_{")
    ]
    svg = course(sets, "c", "sky")
    assert "&lt;script&gt;" in svg
    assert "<script" not in svg
    assert "$_{" in svg
    assert "frame, in the order of names" in svg


def test_the_page_loads_nothing_and_all_its_pictures_have_texts(page):
    text, elements = page
    assert not re.search(r"https?:|//\w|@import", re.sub(r"data:[^\"]+", "", text))
    for one in elements.elements:
        for name in ("src", "href", "xlink:href"):
            assert one.get(name, "#").startswith(("data:", "#"))
    assert elements.of("img")
    assert all(one["alt"] for one in elements.of("img"))
    assert all(one["aria-label"] for one in elements.of("div", role="img"))
    assert "default-src 'none'" in text


def test_names_of_places_are_unique_and_links_lead_somewhere(page):
    _, elements = page
    places = [one["id"] for one in elements.elements if "id" in one]
    assert len(places) == len(set(places))
    wanted = {
        one[name][1:]
        for one in elements.elements
        for name in ("href", "xlink:href")
        if one.get(name, "").startswith("#")
    }
    assert wanted <= set(places)


def test_it_is_small_and_made_soon_and_again(page, reduced):
    began = time.process_time()
    path = aw.report(reduced[0])
    assert time.process_time() - began < 6
    assert path == reduced[0] / "report.html"
    assert path.stat().st_size < 500_000
    assert path.read_text(encoding="utf-8") == page[0]


def test_of_a_bayer_set_in_pixels_whose_raw_frames_are_gone(tmp_path):
    sky = aw.simulate.Night(shape=(24, 32), seed=3, channels="RGGB")
    for frames in (sky.bias(2, split=False), sky.objects(1, split=False)):
        aw.to_fits(frames, tmp_path / "raw" / "{RAWFNAME}.fits")
    given = {"camera": sky.camera, "store": "pixels", "checks": False}
    reduce(tmp_path / "raw", tmp_path / "out", **given)
    (tmp_path / "raw").rename(tmp_path / "elsewhere")
    assert main(["report", str(tmp_path / "out"), "--previews", "zscale"]) == 0
    text = (tmp_path / "out" / "report.html").read_text()
    assert "the raw frame is neither in the results nor where it was read from" in text
    assert "No level was measured" in text
    from PIL import Image

    for name in ("masters_bias", "calibrated_V_60s_object-0001"):
        with Image.open(tmp_path / "out/previews" / f"{name}.png") as picture:
            assert (picture.mode, picture.size) == ("RGB", (16, 12))
    # a preview that somebody has changed is not replaced
    (tmp_path / "out/previews/masters_bias.png").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"masters_bias\.png is kept"):
        aw.report(tmp_path / "out", previews="asinh")
    with pytest.raises(ValueError, match="no stretch 'log'"):
        aw.report(tmp_path / "out", previews="log")


def test_a_page_of_somebody_else_is_kept(reduced, page):
    path = reduced[0] / "report.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="changed since"):
        aw.report(reduced[0])
    assert path.read_text() == "mine"
    path.unlink()


def test_what_is_no_output_of_reduce_is_refused(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 1
    assert "is no directory of results of reduce" in capsys.readouterr().err


def test_without_jinja2_the_extra_and_the_command_are_named(reduced, monkeypatch, capsys):
    from autowisp_xr.cli.reduce import finish

    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingPackageError, match=r"jinja2 .*pip install '\.\[report\]'"):
        aw.report(reduced[0])
    finish("my out", wanted=True)
    finish("my out", wanted=False)
    first, last = capsys.readouterr().out.splitlines()
    assert first.endswith("pip install '.[report]', then autowisp-xr report 'my out'")
    assert last == "for a page about it, with pictures: autowisp-xr report 'my out'"


def test_a_page_that_a_later_run_has_made_old_is_named(tmp_path, capsys):
    from autowisp_xr.cli.reduce import finish

    (tmp_path / "report.html").touch()
    finish(tmp_path, wanted=False)
    assert "report.html is of an earlier run; to renew it: " in capsys.readouterr().out

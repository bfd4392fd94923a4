"""What a night would make and take is known before the work."""

import shutil
from collections import namedtuple
from types import SimpleNamespace

import dask
import pytest

from autowisp_xr import night
from autowisp_xr.bridge.memory_limit import BASE, limited
from autowisp_xr.cli import main
from autowisp_xr.night import projection

KIND = {"bias": 3, "dark": 3, "flat": 3, "object": 4}


@pytest.fixture
def projected(sky, write_night, tmp_path):
    folder = write_night(sky.bias(3), sky.dark(3), sky.flat(3), sky.objects(4))
    return lambda **given: night.project(folder, tmp_path / "out", camera=sky.camera, **given)


def test_each_product_is_named_with_what_it_is_made_of(projected, tmp_path):
    found = projected()
    names = [part.product.what.split("_")[0] for part in found.parts]
    assert names == ["master bias", "master dark", "master flat", "calibrated V"]
    text = str(found)
    assert "calibrated V_60s: of 4 frames" in text
    assert "corrected by: bias, dark_60s, flat_V" in text
    assert found.line in text
    # it was only looked
    assert not (tmp_path / "out").exists()


def test_sizes_are_those_that_are_written(projected, sky, tmp_path):
    found = projected()
    out = tmp_path / "out"
    night.reduce(found.plan.night, out, camera=sky.camera)
    for part in found.parts:
        files = out.glob(
            f"{part.product.group}.fits" if part.product.is_master else "calibrated/*/*"
        )
        size = sum(file.stat().st_size for file in files)
        # headers and blocks of 2880 bytes are most of a small file
        assert 0.3 * size < part.files + 4 * 40_000
    assert projected(fits=False).written < found.written < projected(store="pixels").written


def test_memory_keeps_the_limit_and_the_program(projected):
    small, large = projected(memory_limit="20MB"), projected(memory_limit="2GB")
    assert small.limit == 20_000_000
    assert small.peak <= large.peak <= 300e6 + 2e9


@pytest.mark.parametrize(
    ("shape", "number", "limit", "kind", "masters", "measured"),
    [
        ((2048, 2048), 3, "6GB", "bias", [], 445),
        ((2048, 2048), 3, "6GB", "dark", ["bias"], 700),
        ((2048, 2048), 4, "6GB", "object", ["bias", "dark", "flat"], 704),
        ((6388, 9576), 3, "12GB", "object", ["bias", "dark", "flat"], 7161),
        ((2048, 2048), 4, "160MB", "object", ["bias", "dark", "flat"], 434),
        ((6388, 9576), 4, "1GB", "bias", [], 625),
        ((6388, 9576), 4, "1GB", "dark", ["bias"], 1032),
        ((6388, 9576), 2, "1GB", "object", ["bias", "dark", "flat"], 1070),
        ((6388, 9576), 6, "2GB", "flat", ["bias", "dark"], 1788),
    ],
)
def test_memory_is_what_it_was_measured_to_be(shape, number, limit, kind, masters, measured):
    """Peaks of a process that makes one product with two threads, in MiB."""
    frames = SimpleNamespace(records=[SimpleNamespace(shape=shape)] * number)
    product = SimpleNamespace(
        kind=kind, is_master=kind != "object", masters=dict.fromkeys(masters), frames=frames
    )
    with limited(limit), dask.config.set(num_workers=2):
        part = projection._part(product, form="recipe", link=False, fits=True)
    assert (BASE + part.peak) / 2**20 == pytest.approx(measured, rel=0.16)


def test_a_limit_that_is_too_low_for_the_frames_is_warned_of_before_the_work(
    projected, sky, tmp_path
):
    assert projected().warnings == projected(memory_limit="1GB").warnings == []
    found = projected(memory_limit="100kB")
    (warning,) = found.warnings
    assert warning.startswith("WARNING: master dark")
    assert "the limit of 100kB is too low for that: a limit of" in warning
    lines = []
    given = {"camera": sky.camera, "memory_limit": "100kB", "report": lines.append}
    summary = night.reduce(found.plan.night, tmp_path / "out", **given)
    assert warning in lines[:3]
    assert warning in summary.notes


def test_a_disk_without_room_is_warned_of(projected, sky, monkeypatch, tmp_path):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000))
    found = projected()
    (warning,) = found.warnings
    assert "about" in warning
    assert "--no-fits" in str(found)
    summary = night.reduce(found.plan.night, tmp_path / "out", camera=sky.camera)
    assert warning in summary.notes


def test_the_command_prints_it_and_makes_nothing(projected, tmp_path, capsys):
    folder = projected().plan.night
    assert main(["reduce", folder, "-o", str(tmp_path / "out"), "--dry-run", "--no-fits"]) == 0
    printed = capsys.readouterr().out
    assert "calibrated V_60s: of 4 frames; 0kB of FITS" in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (["--defects", "{none}"], "no file"),
        (["--defects", "{text}"], "not a FITS file"),
        (["--flat-limits", "{none}"], "no file"),
        (["--masters", "{out}"], "masters"),
        (["--objlim", "3"], "--cosmic-rays"),
        (["--watch", "0", "--dry-run=no"], "seconds above 0"),
    ],
)
def test_what_the_run_would_refuse_is_refused(projected, tmp_path, capsys, options, refused):
    (tmp_path / "text").write_text("no image\n")
    names = {name: str(tmp_path / name) for name in ("none", "text", "out")}
    dry = [] if "--dry-run=no" in options else ["--dry-run"]
    given = [one.format(**names) for one in options if one != "--dry-run=no"]
    assert main(["reduce", projected().plan.night, "-o", names["out"], *dry, *given]) == 1
    assert refused in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_results_do_not_go_among_raw_frames_on_paper_either(projected):
    folder = projected().plan.night
    with pytest.raises(FileExistsError, match="do not go among them"):
        night.project(folder, folder)

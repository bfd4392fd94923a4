"""The manual in ``notebooks/`` names what there is, and is built without a warning."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import autowisp_xr as aw
from autowisp_xr.cli.options import commands

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "notebooks").rglob("*.md"))


def _text(page):
    return page.read_text(encoding="utf-8")


def test_the_reference_has_every_public_name_and_no_other():
    text = _text(ROOT / "notebooks" / "reference.md")
    of_package = text.partition(".. currentmodule:: autowisp_xr.")[0]
    listed = re.findall(r"^   (\w+)$", of_package, re.MULTILINE)
    public = {name for name in aw.__all__ if not inspect.ismodule(getattr(aw, name))}
    assert len(listed) == len(set(listed))
    assert set(listed) == public
    for section in re.split(r"\.\. currentmodule:: autowisp_xr\.", text)[1:]:
        room, *names = re.findall(r"^   (\w+)$|^(\w+)$", section, re.MULTILINE)
        for name, _ in names:
            assert hasattr(getattr(aw, room[1]), name), (room, name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_and_options_on_a_page_are_there(page):
    text = _text(page)
    for name in set(re.findall(r"\baw((?:\.\w+)+)", text)):
        thing = aw
        for part in name.removeprefix(".").split("."):
            thing = getattr(thing, part)
    known = {name for command in commands().values() for o in command.options for name in o.names}
    known |= {name.replace("--", "--no-") for name in known}
    for line in text.splitlines():
        for call in re.findall(r"autowisp-xr (\w+ [^`'\n]*)", line):
            assert call.split()[0] in commands(), call
            assert set(re.findall(r"--[\w-]+", call)) <= known, call


def test_each_promise_names_tests_that_are_there():
    rows = re.findall(r"^\| \d+ \|.*$", _text(ROOT / "notebooks" / "promises.md"), re.MULTILINE)
    assert [int(row.split()[1]) for row in rows] == list(range(1, 52))
    for row in rows:
        tests = re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", row)
        assert tests, row
        for file, name in tests:
            assert f"def {name}(" in _text(ROOT / file) if name else (ROOT / file).exists(), name


def test_it_is_built_without_a_warning(tmp_path):
    pytest.importorskip("myst_nb", reason="needs the extra docs")
    # notebooks are executed by tests of their own
    options = ["-q", "-W", "--keep-going", "-D", "nb_execution_mode=off", "-d", tmp_path / "trees"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, ROOT / "notebooks", tmp_path / "pages"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    start = (tmp_path / "pages" / "start.html").read_text(encoding="utf-8")
    assert "five minutes" in start

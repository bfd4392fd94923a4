"""The table of sentences holds what the rooms night and report state, and nothing else."""

import ast
from pathlib import Path

import pytest

from autowisp_xr import night
from autowisp_xr.night import sentences


def asked_for():
    """Names of the table that stand in calls that ask for a sentence."""
    rooms = Path(night.__file__).parent, Path(night.__file__).parents[1] / "report"
    for path in (path for room in rooms for path in room.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(ast.Name("sentence"), [name, *_]) | ast.Call(
                    ast.Attribute(ast.Name("doubts"), "add" | "note"), [name, *_]
                ):
                    yield from (n.value for n in ast.walk(name) if isinstance(n, ast.Constant))


def test_each_sentence_is_stated_somewhere_and_each_that_is_stated_is_there():
    names = {name for name in asked_for() if isinstance(name, str)}
    assert names == set(sentences._SENTENCES)


def test_a_sentence_is_one_line_without_blanks_around_it():
    for name, text in sentences._SENTENCES.items():
        assert text == " ".join(text.split()), name


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(KeyError, match="frames"):
        sentences.sentence("no_good_pixel")

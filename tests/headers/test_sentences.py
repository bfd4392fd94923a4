"""The table of sentences about headers holds the sentences that the room uses, and no others."""

import ast
from pathlib import Path

import pytest

from autowisp_xr import headers
from autowisp_xr.headers import sentences


def asked_for():
    """Names of the table that stand in calls that ask for a sentence."""
    for path in Path(headers.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(ast.Name("doubt"), [name, *_]):
                    yield from (n.value for n in ast.walk(name) if isinstance(n, ast.Constant))


def test_each_sentence_is_used_and_each_that_is_used_is_there():
    assert {name for name in asked_for() if name is not None} == set(sentences._SENTENCES)


def test_a_sentence_names_cards_with_their_values_and_misses_none_in_silence():
    text = sentences.doubt("no_number", card=sentences.named("OFFSET", "1O"))
    assert text.startswith("OFFSET = '1O' cannot be read as a number")
    with pytest.raises(KeyError, match="card"):
        sentences.doubt("no_number")

"""Remedies of verbs, as readers of a summary and of the command line get them."""

import re

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr.option_words import in_options
from tests.steps.frames import frame_set, master

FRAMES = frame_set(np.full((1, 1, 8, 8), 1000, "u2"), camera=aw.Camera(), exposure=[60.0])
DARK = master(np.ones((1, 8, 8), "f4"), exposure=30.0)


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        (lambda: aw.calibrate(FRAMES), "give --gain and --read-noise, or gain and read_noise in a"),
        (lambda: aw.calibrate(FRAMES, dark=DARK, noise="if known"), "--allow-mismatch exposure"),
        (lambda: aw.subtract_overscan(FRAMES), "give overscan in a camera file"),
    ],
)
def test_an_error_of_a_verb_names_the_option(wrong, option):
    with pytest.raises(aw.AutowispError) as caught:
        wrong()
    text = in_options(str(caught.value))
    assert option in text
    assert not re.search(r"\w=[.'TF(]|aw\.", text)


@pytest.mark.parametrize(
    ("remedy", "in_words"),
    [
        (
            "make it of its frames by master_flat(frames, bias=..., dark=...)",
            "make it of its frames by reduce",
        ),
        ("make it with master_dark(frames, bias=...)", "make it of its frames with reduce"),
        ("give bias=..., or the overscan", "give a bias, or the overscan"),
        (
            "to the frames, or Camera(linearity=())",
            "to the frames, or linearity = [] in a camera file",
        ),
        ("make them again by reduce(..., overwrite=True)", "make them again by reduce --overwrite"),
        ("another name, or overwrite=True", "another name, or --overwrite"),
        ("Camera(overscan=...) or Overscan(areas=...)", "overscan in a camera file"),
        ("to_zarr with overwrite=True writes it", "to_zarr with overwrite=True writes it"),
        ("CALSTAT = 'B' in its header", "CALSTAT = 'B' in its header"),
    ],
)
def test_a_remedy_is_put_into_options_and_what_has_none_is_left(remedy, in_words):
    assert in_options(remedy) == in_words

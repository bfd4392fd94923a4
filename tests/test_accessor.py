"""``ds.autowisp``: the same functions, under the same names, with the same options."""

import inspect
from operator import attrgetter

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, steps
from autowisp_xr.accessor import AutowispAccessor, Pictures
from autowisp_xr.testing import assert_frames_equal
from tests.steps.frames import frame_set, master

VERBS = sorted(name for name, one in vars(AutowispAccessor).items() if hasattr(one, "function"))
PICTURES = sorted(name for name, one in vars(Pictures).items() if hasattr(one, "function"))


def test_all_verbs_are_methods():
    assert {*steps.__all__, "concat", "select_flats", "stack", "stamp_statistics"} <= set(VERBS)


@pytest.mark.parametrize(
    ("of", "home", "name"),
    [("autowisp", aw, verb) for verb in VERBS]
    + [("autowisp.plot", aw.plot, picture) for picture in PICTURES if picture != "__call__"],
)
def test_a_method_has_signature_and_documentation_of_its_function(of, home, name):
    accessor = attrgetter(of)(frame_set(np.ones((1, 1, 2, 3))))
    method, function = getattr(accessor, name), getattr(home, name)
    assert name in dir(accessor)
    assert getattr(type(accessor), name) is function
    assert inspect.getdoc(method) == inspect.getdoc(function)
    assert "Parameters\n" in method.__doc__
    assert "Returns\n" in method.__doc__
    parameters = list(inspect.signature(function).parameters.values())
    assert list(inspect.signature(method).parameters.values()) == parameters[1:]


def test_pictures_are_called_as_the_picture_of_a_frame():
    pictures = frame_set(np.ones((1, 1, 2, 3))).autowisp.plot
    assert list(inspect.signature(pictures).parameters) == list(
        inspect.signature(pictures.frame).parameters
    )
    assert inspect.getdoc(type(pictures).__call__) == inspect.getdoc(aw.plot.frame)


def test_methods_do_what_the_functions_do():
    camera = Camera(gain=2.0, read_noise=4.0, bias_level=1.0, saturation=9.0)
    raw = frame_set(np.arange(1.0, 13.0).reshape(2, 1, 2, 3), camera=camera)
    accessor = raw.autowisp
    assert accessor.camera == camera
    bias = master(np.ones((2, 3)))
    flat = master(np.full((2, 3), 2.0), units="1")
    pairs = [
        (accessor.calibrate(bias=bias, flat=flat), aw.calibrate(raw, bias=bias, flat=flat)),
        (accessor.stack("mean", error="scatter"), aw.stack(raw, "mean", error="scatter")),
        (accessor.subtract_bias(bias), aw.subtract_bias(raw, bias)),
        (accessor.subtract_dark(bias, allow_mismatch=["gain"]), aw.subtract_dark(raw, bias)),
        (accessor.divide_flat(flat), aw.divide_flat(raw, flat)),
        (accessor.add_noise(photons="absolute"), aw.add_noise(raw, photons="absolute")),
        (accessor.flag_saturated(), aw.flag_saturated(raw)),
        (accessor.subtract_bias_level(dtype="f8"), aw.subtract_bias_level(raw, dtype="f8")),
        (accessor.trim("[1:2,1:2]"), aw.trim(raw, "[1:2,1:2]")),
        (accessor.where_type("object"), aw.where_type(raw, "object")),
        (accessor.apply_masks(np.ones((2, 3), "u1")), aw.apply_masks(raw, np.ones((2, 3), "u1"))),
        (accessor.merge_channels(), aw.merge_channels(raw)),
    ]
    for ours, theirs in pairs:
        assert_frames_equal(ours, theirs)
        if "history" in theirs.attrs:
            assert [step["id"] for step in ours.autowisp.history()] == [
                step["id"] for step in theirs.autowisp.history()
            ] or "allow_mismatch" in str(ours.autowisp.history())
    np.testing.assert_array_equal(accessor.masked(), aw.masked(raw))
    np.testing.assert_array_equal(accessor.flagged("HOT"), aw.flagged(raw, "HOT"))


def test_verbs_chain():
    camera = Camera(gain=2.0, read_noise=4.0)
    raw = frame_set(np.arange(12.0).reshape(2, 1, 2, 3), camera=camera)
    deep = raw.autowisp.calibrate().autowisp.stack("mean")
    assert [step["verb"] for step in deep.autowisp.history()] == ["calibrate", "stack"]
    assert deep.autowisp.camera == camera


def test_public_names_are_listed():
    assert set(aw.__all__) <= set(dir(aw))


def test_public_names_are_there():
    for name in aw.__all__:
        assert getattr(aw, name) is not None
    with pytest.raises(AttributeError, match="no_such_verb"):
        _ = aw.no_such_verb

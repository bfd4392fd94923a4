import tomllib
from pathlib import Path

import autowisp_xr.camera.library as library
from autowisp_xr.camera.library import nominal

TABLE = tomllib.loads(Path(library.__file__).with_suffix(".toml").read_text("utf-8"))["cameras"]


def test_a_model_has_values_at_its_very_setting_only():
    assert nominal("canon eos 40d", 1600).values == {"gain": 0.2, "read_noise": 4.55}
    assert not nominal("Canon EOS 40D", 1250).values
    assert not nominal("Canon EOS 40D").values
    assert nominal("SBIG ST-10 3 CCD Camera ").values == {"read_noise": 11.0}
    assert not nominal("", 0).values


def test_a_camera_of_several_depths_is_known_by_its_white():
    assert nominal("NIKON D3", 200, 15_892).values["gain"] == 3.88
    assert not nominal("NIKON D3", 200, 3_880).values
    assert not nominal("NIKON D3", 200).values


def test_every_value_has_a_source_and_can_be():
    models = [model for one in TABLE for model in one["models"]]
    assert len({library._key(model) for model in models}) == len(models)
    for one in TABLE:
        assert one["source"]
        settings = [value.get("setting") for value in one["values"]]
        assert len(set(settings)) == len(settings)
        for value in one["values"]:
            assert {"gain", "read_noise"} & set(value)
            assert 0.01 < value.get("gain", 1) < 10
            assert 1 < value.get("read_noise", 2) < 30

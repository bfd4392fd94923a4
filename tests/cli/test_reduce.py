"""``info`` and ``reduce`` as they are called from a terminal."""

import re
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.cli import main


@pytest.fixture
def night(tmp_path, monkeypatch):
    sky = simulate.Night(shape=(40, 56), seed=5, gain=0.6, full_well=30_000)
    for frames in (
        sky.bias(3),
        sky.dark(2),
        sky.flat(2),
        sky.objects(2),
        sky.objects(1, exposure=30, start=9),
    ):
        aw.to_fits(frames, tmp_path / "raw" / "{RAWFNAME}.fits")
    (tmp_path / "camera.toml").write_text(sky.camera.to_toml())
    monkeypatch.chdir(tmp_path)
    return sky


def test_info_lists_sets_and_what_corrects_them(night, capsys):
    assert main(["info", "raw", "--camera", "camera.toml", "--scale-dark", "no"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("raw: 10 files\n")
    assert "    V_30s: bias, no dark, flat_V\n        not dark_60s: exposed 60 s, not 30 s" in out
    assert main(["info", "raw", "--camera", "camera.toml"]) == 0
    assert "    V_30s: bias, dark_60s, flat_V" in capsys.readouterr().out


def test_several_paths_and_patterns_are_listed_together(night, capsys):
    assert main(["info", "raw/bias*", "raw/flat-0001.fits"]) == 0
    assert capsys.readouterr().out.startswith("raw/bias* raw/flat-0001.fits: 4 files")


def test_a_type_is_given_by_an_option_before_a_table(night, capsys):
    with open("night.toml", "w") as file:
        file.write('[types]\n"flat-0001*" = "object"\n"flats/*" = "dark"\n')
    assert main(["info", "raw", "-c", "night.toml", "--type", "flat-0002*=bias"]) == 0
    out = capsys.readouterr().out
    assert "V_5s" in out
    assert "flat_V" not in out
    assert "the type rule 'flats/*' fits no file" in out


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("flat-*", "a rule is PATTERN=TYPE"),
        ("=flat", "a rule is PATTERN=TYPE"),
        ("flat-*=flatt", "flatt"),
    ],
)
def test_a_rule_that_is_none_is_refused_at_once(rule, message, night, capsys):
    try:
        status = main(["reduce", "raw", "-o", "out", "--type", rule])
    except SystemExit as ended:
        status = ended.code
    assert status != 0
    assert message in capsys.readouterr().err


def test_one_file_has_camera_types_and_options(night, capsys, tmp_path):
    camera = (tmp_path / "camera.toml").read_text()
    (tmp_path / "night.toml").write_text(
        '[reduce]\nscale-dark = "down"\nselect-flats = false\n[info]\nprefer = "older"\n'
        f'[types]\n"object-0009*" = "object"\n[aliases]\nexposure = "EXPTIME"\n'
        f"[camera]\n{camera}"
    )
    assert main(["reduce", "raw", "-o", "out", "-c", "night.toml"]) == 0
    out = capsys.readouterr().out
    assert "note on calibrated V_30s: the dark dark_60s of 60 s is scaled by " in out
    science = aw.open_zarr("out/night.zarr", group="calibrated/V_30s")
    # the level of an overscan that was measured frame by frame is not known beforehand
    assert science.autowisp.camera == replace(night.camera, saturation=None)
    assert aw.Camera.from_toml("night.toml") == night.camera


def test_info_takes_what_it_knows_of_the_table_of_reduce(night, capsys, tmp_path):
    text = '[reduce]\nstore = "pixels"\nscale-dark = "no"\n'
    (tmp_path / "night.toml").write_text(text)
    listed = []
    for options in (["-c", "night.toml"], ["--scale-dark", "no"], []):
        assert main(["info", "raw", "--camera", "camera.toml", *options]) == 0
        listed.append(capsys.readouterr().out)
    assert listed[0] == listed[1] != listed[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[camera]\ngian = 2", r"night.toml: [camera]: unknown gian"),
        ("[aliases]\nexposures = 'X'", "night.toml: [aliases]: no aliases of exposures"),
        ("[typs]\n", "night.toml: [typs] is not a step"),
        ("[reduce]\nscale-dark = 'up'", "it is one of no, down, any, not 'up'"),
        ("[reduce]\noverwrite = 1", "it is true or false, not 1"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(text, message, night, capsys, tmp_path):
    (tmp_path / "night.toml").write_text(text)
    assert main(["reduce", "raw", "-o", "out", "-c", "night.toml"]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_floor_of_flats_that_is_no_share_is_refused_before_any_work(night, capsys, tmp_path):
    assert main(["reduce", "raw", "-o", "out", "--min-flat", "1.5"]) == 1
    error = capsys.readouterr().err
    assert "min_flat is a share of the mean of a flat" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_cosmic_rays_are_flagged_on_request_and_counted(night, capsys):
    command = ["reduce", "raw", "-o", "out", "--camera", "camera.toml"]
    assert main([*command, "--cosmic-rays", "--objlim", "5"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"calibrated V_60s: cosmic rays: a median of \d+ pixels a frame flagged", out)
    frames = aw.open_fits("out/calibrated/V_60s/*.fits")
    step = frames.autowisp.history()[-1]
    assert (step["verb"], step["options"]["objlim"]) == ("flag_cosmic_rays", 5)
    numbers = [np.count_nonzero(one & aw.Flag.COSMIC) for one in frames["mask"].values]
    assert f"({min(numbers)} to {max(numbers)})" in out
    assert max(numbers) > 0


def test_limits_of_cosmic_rays_without_them_are_refused(night, capsys, tmp_path):
    assert main(["reduce", "raw", "-o", "out", "--objlim", "5"]) == 1
    assert "--objlim is for cosmic rays; give --cosmic-rays, too" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_masters_of_another_night_are_named_by_their_directory(night, capsys, tmp_path):
    assert main(["reduce", "raw", "-o", "first", "--camera", "camera.toml"]) == 0
    aw.to_fits(night.objects(1, start=21), tmp_path / "next" / "{RAWFNAME}.fits")
    arguments = ["--camera", "camera.toml", "--masters", "first", "--prefer", "older"]
    assert main(["reduce", "next", "-o", "second", *arguments]) == 0
    assert "corrected by: " in capsys.readouterr().out
    assert main(["info", "next", *arguments]) == 0
    masters = (
        str(tmp_path / "first" / "masters" / f"{name}.fits")
        for name in ("bias", "dark_60s", "flat_V")
    )
    assert f"V_60s: {', '.join(masters)}" in capsys.readouterr().out


def test_info_shows_results_without_files_too(night, capsys, tmp_path):
    options = ["--camera", "camera.toml", "--scale-dark", "no", "--defects", "none"]
    options += ["--store", "recipe", "--raw", "link", "--no-fits"]
    assert main(["reduce", "raw", "-o", "out", *options]) == 3
    assert not (tmp_path / "out" / "calibrated").exists()
    assert "defects" not in capsys.readouterr().out
    assert main(["info", "out"]) == 0
    out = capsys.readouterr().out
    assert "    V_60s: bias, dark_60s, flat_V" in out
    assert "no dark fits" in out


def test_info_of_nothing_is_one_clear_line(night, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    assert main(["info", "empty"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "empty" in error


def test_the_command_line_goes_before_the_same_pattern_in_the_table(night, capsys, tmp_path):
    (tmp_path / "night.toml").write_text('[types]\n"flat-*" = "dark"\n')
    assert main(["info", "raw", "-c", "night.toml", "--type", "flat-*=object"]) == 0
    assert "V_5s" in capsys.readouterr().out


def test_the_file_for_options_serves_as_a_camera_file(night, capsys, tmp_path):
    text = f"overwrite = true\n[camera]\n{(tmp_path / 'camera.toml').read_text()}"
    (tmp_path / "night.toml").write_text(text)
    assert main(["info", "raw", "--camera", "night.toml"]) == 0
    out = capsys.readouterr().out
    assert "the camera: gain 0.6 e/ADU; read noise" in out
    assert "not in the headers" not in out


def test_the_image_is_chosen_by_its_name_in_files_of_several(night, capsys, tmp_path):
    assert main(["reduce", "raw", "-o", "plain", "--camera", "camera.toml"]) == 0
    (tmp_path / "several").mkdir()
    for path in (tmp_path / "raw").iterdir():
        data, header = fits.getdata(path, header=True)
        small = fits.ImageHDU(data[:5, :7], name="GUIDER")
        hdus = [fits.PrimaryHDU(header=header), small, fits.ImageHDU(data, name="CCD")]
        fits.HDUList(hdus).writeto(tmp_path / "several" / path.name)
    (tmp_path / "several" / "flat.CR2").write_bytes(b"II*\0")
    (tmp_path / "several" / ".old").mkdir()
    (tmp_path / "several" / ".old" / "flat.fits").touch()
    assert main(["info", "several"]) == 0
    out = capsys.readouterr().out
    hidden = "passed over 1 file with a dot before its name or that of a folder (several/.old)"
    assert hidden in out
    assert out.count("only HDU 1 (GUIDER, 5 x 7) is read of 2 images") == 1
    assert "passed over 1 file of a format that is read only where no FITS files lie beside" in out
    chosen = ["--camera", "camera.toml", "--hdu", "ccd"]
    assert main(["reduce", "several", "-o", "out", *chosen]) == 0
    out = capsys.readouterr().out
    assert hidden in out
    assert "DOUBT" not in out
    assert "1 .CR2" in out
    same = [
        aw.open_fits(tmp_path / name / "calibrated" / "V_60s" / "*.fits")
        for name in ("plain", "out")
    ]
    np.testing.assert_array_equal(same[0].image, same[1].image)
    # masters that hold one image have no HDU of that name, and need none
    (tmp_path / "lights").mkdir()
    for path in (tmp_path / "several").glob("object*"):
        path.rename(tmp_path / "lights" / path.name)
    masters = ["--masters", "plain/masters"]
    assert main(["reduce", "lights", "-o", "again", *chosen, *masters]) == 0
    assert "masters of other nights: 4" in capsys.readouterr().out


def test_a_frame_whose_pixels_are_garbled_is_left_out_by_name(night, capsys, tmp_path):
    path = tmp_path / "raw" / "object-0002.fits"
    content = bytearray(path.read_bytes())
    content[content.index(b"END ".ljust(80)) // 2880 * 2880 + 2880 + 9] ^= 1
    path.write_bytes(content)
    options = ["--camera", "camera.toml"]
    assert main(["reduce", "raw", "-o", "out", *options]) == 3
    described = capsys.readouterr().out.split("Left out:")[1]
    assert "are garbled" in described
    assert "object-0002.fits" in described
    assert not list(tmp_path.glob("out/calibrated/*/*0002*"))
    assert main(["reduce", "raw", "-o", "all", *options, "--no-checksum"]) == 0
    assert "garbled" not in capsys.readouterr().out


def test_a_master_whose_pixels_are_garbled_is_not_applied(night, capsys, tmp_path):
    assert main(["reduce", "raw", "-o", "first", "--camera", "camera.toml"]) == 0
    path = tmp_path / "first" / "masters" / "dark_60s.fits"
    content = bytearray(path.read_bytes())
    content[content.index(b"END ".ljust(80)) // 2880 * 2880 + 2880 + 9] ^= 1
    path.write_bytes(content)
    for kind in ("bias", "dark", "flat"):
        for raw in (tmp_path / "raw").glob(f"{kind}*"):
            raw.unlink()
    reduce = ["reduce", "raw", "-o", "out", "--masters", "first/masters"]
    assert main([*reduce, "--camera", "camera.toml"]) == 1
    assert "dark_60s.fits: the pixels of HDU 0 are garbled" in capsys.readouterr().out


def test_the_command_line_states_gain_and_read_noise_above_a_file(night, capsys, tmp_path):
    reduce = ["reduce", "raw", "-o", "out", "--camera", "camera.toml"]
    assert main([*reduce, "--gain", "0.7", "--read-noise", "5"]) == 0
    assert "the camera: gain 0.7 e/ADU; read noise 5 e;" in capsys.readouterr().out
    assert main(["info", "raw", "--gain", "0.7"]) == 0
    assert "gain 0.7 e/ADU" in capsys.readouterr().out


@pytest.mark.parametrize(("stated", "shown"), [("mono", ""), ("GBRG", "G1 B R G2")])
def test_the_colours_can_be_stated_whatever_headers_state(stated, shown, tmp_path, capsys):
    sky = simulate.Night(shape=(20, 32), channels="RGGB", seed=2)
    aw.to_fits(sky.bias(2, split=False), tmp_path / "raw" / "{RAWFNAME}.fits")
    for path in (tmp_path / "raw").glob("*.fits"):
        fits.setval(path, "BAYERPAT", value="RGGB")
    assert main(["info", str(tmp_path / "raw"), "--channels", stated]) == 0
    described = capsys.readouterr().out
    assert ("channels" in described) == bool(shown)
    assert shown in described

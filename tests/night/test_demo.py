from autowisp_xr.cli import main


def test_the_demo_recovers_its_truth(tmp_path, capsys):
    assert main(["demo", "-o", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines() if "(0 +- 0.02)" in line]
    assert len(lines) == 2
    for words in lines:
        mean, width = float(words[words.index("mean") + 1]), float(words[words.index("width") + 1])
        assert abs(mean) < 0.02
        assert abs(width - 1) < 0.02
    made = sorted(path.name for path in (tmp_path / "demo").iterdir())
    assert made == ["camera.toml", "deep.fits", "raw", "reduced"]


def test_the_demo_reduces_again_from_its_own_files(tmp_path, capsys):
    out = str(tmp_path / "demo")
    assert main(["demo", "-o", out]) == 0
    again = ["reduce", f"{out}/raw", "-o", f"{out}/again", "--camera", f"{out}/camera.toml"]
    assert main(again) == 0
    assert "calibrated V_60s: from 10 frames" in capsys.readouterr().out


def test_the_demo_does_not_write_into_what_is_there(tmp_path, capsys):
    assert main(["demo", "-o", str(tmp_path)]) == 1
    assert "exists; remove it, or choose another with -o" in capsys.readouterr().err

import contextlib
import io

import pytest

from autowisp_xr.cli import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Where the demo was made, which no test changes, and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["demo", "-o", str(out)]) == 0
    return out, printed.getvalue()


def test_the_demo_recovers_its_truth(demo):
    out, printed = demo
    lines = [line.split() for line in printed.splitlines() if "(0 +- 0.02)" in line]
    assert len(lines) == 2
    for words in lines:
        mean, width = float(words[words.index("mean") + 1]), float(words[words.index("width") + 1])
        assert abs(mean) < 0.02
        assert abs(width - 1) < 0.02
    made = sorted(path.name for path in out.iterdir())
    assert made == ["camera.toml", "deep.fits", "raw", "reduced"]


def test_the_demo_reduces_again_from_its_own_files(demo, tmp_path, capsys):
    out, _ = demo
    again = ["reduce", f"{out}/raw", "-o", f"{tmp_path}/again", "--camera", f"{out}/camera.toml"]
    assert main(again) == 0
    assert "calibrated V_60s: from 10 frames" in capsys.readouterr().out


def test_the_demo_does_not_write_into_what_is_there(tmp_path, capsys):
    assert main(["demo", "-o", str(tmp_path)]) == 1
    assert "exists; remove it, or choose another with -o" in capsys.readouterr().err

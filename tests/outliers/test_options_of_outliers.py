"""Options of ways to find outliers check themselves."""

from dataclasses import FrozenInstanceError, asdict

import numpy as np
import pytest

from autowisp_xr import MinMax, NoiseClip, Percentile, SigmaClip


@pytest.mark.parametrize("given", [0, (3, 4), (1, -1, 2), float("inf")])
def test_impossible_thresholds_of_a_clip_are_refused(given):
    message = "a rejection threshold is a finite number other than zero, or a pair"
    with pytest.raises(ValueError, match=message):
        SigmaClip(given)


def test_a_sigma_clip_checks_itself_and_does_not_change():
    clip = SigmaClip((3, -4), scale="mad", max_iter=2)
    assert asdict(clip) == {
        "threshold": (3, -4),
        "scale": "mad",
        "max_iter": 2,
        "about": "average",
        "floor": "step",
    }
    assert SigmaClip() == SigmaClip(5.0, scale="rms", max_iter=None)
    assert hash(clip) == hash(SigmaClip((3, -4), "mad", 2))
    with pytest.raises(FrozenInstanceError):
        clip.threshold = 3
    with pytest.raises(ValueError, match="scale is 'rms' or 'mad', not 'std'"):
        SigmaClip(3, scale="std")
    with pytest.raises(ValueError, match="about is 'average' or 'median', not 'mean'"):
        SigmaClip(3, about="mean")
    with pytest.raises(ValueError, match="floor is 'step' or 'noise', not None"):
        SigmaClip(3, floor=None)
    with pytest.raises(ValueError, match="the rms has no floor"):
        SigmaClip(3, floor="noise")
    with pytest.raises(ValueError, match="max_iter is None or at least 0, not -1"):
        SigmaClip(3, max_iter=-1)
    with pytest.raises(TypeError, match="sigma"):
        SigmaClip(sigma=3)


def test_numbers_of_extremes_check_themselves():
    assert asdict(MinMax()) == {"low": 1, "high": 1}
    assert MinMax(np.int64(2), 0) == MinMax(low=2, high=0)
    assert isinstance(MinMax(np.int64(2), 0).low, int)
    for wrong in ((-1, 1), (1, -2), (1.0, 1), (True, 1), (None, 1)):
        with pytest.raises(ValueError, match=r"(low|high) is a whole number from 0, not "):
            MinMax(*wrong)
    with pytest.raises(ValueError, match="low and high are both 0; to reject nothing"):
        MinMax(0, 0)


def test_fractions_of_the_median_check_themselves():
    assert asdict(Percentile()) == {"low": 0.2, "high": 0.1}
    assert Percentile(np.float32(0.5), 3).high == 3
    for wrong in ((0, 0.1), (0.1, -0.1), (float("nan"), 1), (1, float("inf")), ("1", 1)):
        with pytest.raises(ValueError, match=r"(low|high) is a positive fraction of the median"):
            Percentile(*wrong)


def test_a_clip_in_units_of_noise_checks_itself():
    assert asdict(NoiseClip()) == {"threshold": 5.0, "max_iter": None}
    assert hash(NoiseClip((3, -4), 2)) == hash(NoiseClip((3, -4), max_iter=2))
    with pytest.raises(ValueError, match="a rejection threshold is a finite number other than"):
        NoiseClip(0)
    with pytest.raises(ValueError, match="max_iter is None or at least 0, not -1"):
        NoiseClip(3, max_iter=-1)

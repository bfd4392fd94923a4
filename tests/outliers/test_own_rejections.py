"""Objects of users that state which values they keep."""

from dataclasses import dataclass

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Flag, Percentile
from autowisp_xr.outliers import of_user
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.steps.frames import frame_set
from tests.steps.test_contracts import lazy


@dataclass(frozen=True)
class Share:
    """What :class:`Percentile` keeps."""

    low: float
    high: float

    def keep(self, values, mask, variance):
        middle = np.nanmedian(values, axis=0)
        with np.errstate(invalid="ignore"):
            near = (values >= middle * (1 - self.low)) & (values <= middle * (1 + self.high))
        return near | (middle <= 0)


class Seen:
    """Keeps all, and what it is asked about."""

    def __init__(self):
        self.seen = []

    def keep(self, *given):
        self.seen.append(given)
        return np.ones(given[0].shape, bool)


@pytest.fixture
def frames(rng):
    values = rng.normal(100, 10, (6, 2, 5, 7)).astype("f4")
    values[rng.random(values.shape) < 0.1] *= 2
    mask = rng.choice([0, 0, 0, 0, 2], values.shape).astype("u1")
    return frame_set(values[:, :1], mask=mask[:, :1], variance=np.full_like(values[:, :1], 100.0))


@pytest.mark.parametrize("average", ["mean", "median", 0.3])
@pytest.mark.parametrize("error", ["scatter", "propagate"])
def test_it_does_what_one_of_the_package_does(frames, average, error):
    options = {"error": error, "rejected": True, "dtype": "float64"}
    found = aw.stack(frames, average, reject=Share(0.15, 0.1), **options)
    expected = aw.stack(frames, average, reject=Percentile(0.15, 0.1), **options)
    for name in expected.data_vars:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, err_msg=name)
    assert int(found["rejected_high"].sum()) > 0


@pytest.mark.parametrize("chunks", [{"frame": 1}, {"y": 2, "x": 3}])
def test_chunks_change_no_bit(frames, chunks):
    with no_compute():
        found = aw.stack(lazy(frames, **chunks), reject=Share(0.15, 0.1), rejected=True)
    assert_frames_equal(found.compute(), aw.stack(frames, reject=Share(0.15, 0.1), rejected=True))


def test_many_pixels_come_in_parts(frames, monkeypatch):
    whole = aw.stack(frames, reject=Share(0.15, 0.1), rejected=True)
    monkeypatch.setattr(of_user, "_PIXELS", 4)
    assert_frames_equal(aw.stack(frames, reject=Share(0.15, 0.1), rejected=True), whole)


def test_it_is_given_values_flags_and_noise():
    column = np.array([1.0, 2.0, np.inf, 4.0]).reshape(4, 1, 1, 1)
    mask = np.array([Flag.HOT, 0, 0, Flag.COSMIC], "u1").reshape(4, 1, 1, 1)
    shared = np.full((1, 1, 1), 2.0)
    frames = frame_set(
        column, mask=mask, variance=np.full_like(column, 9.0), shared_variance=shared
    )
    seen = Seen()
    found = aw.stack(frames, "mean", reject=seen, exclude="COSMIC")
    ((values, flags, variance),) = seen.seen
    np.testing.assert_array_equal(values[:, 0], [1.0, 2.0, np.nan, np.nan])
    assert flags[:, 0].tolist() == [2, 0, 0, 4]
    assert variance[:, 0].tolist() == [7.0] * 4
    # what is left out stays so
    assert (found["image"].item(), found["count"].item()) == (1.5, 2)
    aw.stack(frame_set(column.astype("f4")), "mean", reject=seen)
    assert seen.seen[-1][2] is None
    assert (seen.seen[-1][1] == 0).all()


def test_where_it_keeps_nothing_nothing_is_left(frames):
    class Nothing:
        def keep(self, values, mask, variance):
            return np.zeros(values.shape, bool)

    found = aw.stack(frames, reject=Nothing(), rejected=True)
    assert np.isnan(found["image"]).all()
    assert (found["count"] == 0).all()
    good = (~aw.flagged(frames, "UNUSABLE")).sum("frame")
    assert (found["rejected_low"] + found["rejected_high"] == good).all()


@pytest.mark.parametrize("wrong", [np.ones((6, 35)), np.ones(35, bool), 1])
def test_what_is_no_choice_is_refused(frames, wrong):
    class Wrong:
        def keep(self, values, mask, variance):
            return wrong

    with pytest.raises(ValueError, match=r"Wrong.keep makes .*; expected bool of \(6, \d+\), \(fr"):
        aw.stack(frames, reject=Wrong())
    with pytest.raises(ValueError, match=r"a method keep\(values, mask, variance\), not <cl"):
        aw.stack(frames, reject=Wrong)


def test_the_history_states_what_it_was(frames):
    class Mine(Seen):
        def __init__(self, level):
            self.level = level

        def keep(self, values, mask, variance):
            return values < self.level

    for reject, echo in {
        Share(0.2, 0.1): {"type": "Share", "low": 0.2, "high": 0.1},
        Mine(7): {"type": "Mine", "level": 7},
    }.items():
        assert aw.stack(frames, reject=reject).autowisp.history()[-1]["options"]["reject"] == echo


def test_keywords_are_rejected_too():
    from tests.stack.test_stacking import cards, with_headers

    frames = with_headers(*(cards(AIRMASS=value) for value in (1.0, 1.1, 1.2, 99.0)))
    found = aw.stack(frames, "mean", reject=Share(0.5, 0.5), average_keywords="AIRMASS")
    from autowisp_xr.headers.cards import parse_header

    assert parse_header(str(found["header"].values))["AIRMASS"] == pytest.approx(1.1)

"""How many equal frames have a mean with the photon noise of a stack: what its gain grew by."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr.headers.cards import parse_header
from autowisp_xr.headers.product import effective_in
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.stack.weights import pixel_shares
from autowisp_xr.stats.order_statistics import quantile_moments
from autowisp_xr.stats.trimmed import trimmed_moments

_COUNTED = ("NUMFCOMB", "NCOMBINE", "STACKCNT", "EFFNCOMB", "SNAPSHOT", "IMCMB001", "IMCOM001")


def effective_frames(
    ds: xr.Dataset, weights: xr.Variable | None, quantile: float, dropped: tuple[int, int]
) -> xr.Variable:
    r"""Number of equal frames whose mean has the photon noise of the stack of ``ds``.

    Parameters
    ----------
    ds
        Frames, or stacks, each of which is worth its own number :math:`n_i`.
    weights
        As :func:`~autowisp_xr.stack.weights.weights_of` gives them.
    quantile, dropped
        The average, MEAN for a mean, and how many of the smallest and largest values go.

    Returns
    -------
    A scalar: :math:`1 / \sum p_i^2 / n_i` with the shares p of a mean; for other averages that of
    equal shares, less what they are worth against a mean of normal values. What thresholds reject
    is little, and not in it. NaN where the number of a frame is not known, or weights are still to
    be computed.
    """
    number = ds.sizes["frame"]
    own = _own(ds)
    shares = pixel_shares(weights)
    if shares is None:
        of_mean = number**2 / float((1 / own).sum())
        return xr.Variable((), of_mean / (number * _variance(number, quantile, dropped)))
    return xr.Variable((), 1 / float((shares**2 / own[:, None]).sum(axis=0).mean()))


def _own(ds: xr.Dataset) -> Any:
    """Of each frame how many it is worth, (frame)."""
    number = ds.sizes["frame"]
    own = np.ones(number)
    if "header" in ds.coords:
        texts = map(str, np.broadcast_to(ds["header"].values, (number,)).tolist())
        # headers of single frames, which are many, need not be parsed
        own = np.array([_in_header(text) for text in texts])
    if "effective_frames" in ds.coords:
        known = np.broadcast_to(ds["effective_frames"].values, (number,)).astype(np.float64)
        # beside stacks, single frames do not say it; and a stack whose weights were lazy cannot
        stacked = np.broadcast_to(
            ds["combined"].values if "combined" in ds.coords else 2, (number,)
        )
        own = np.where(np.isnan(known) & (stacked == 1), own, known)
    return own


def _in_header(text: str) -> float:
    if not any(card in text for card in _COUNTED):
        return 1.0
    return effective_in(parse_header(text))


def _variance(number: int, quantile: float, dropped: tuple[int, int]) -> float:
    """Variance of the average of so many standard normal values."""
    if any(dropped):
        return trimmed_moments(quantile, number, *dropped)[0]
    return 1 / number if quantile == MEAN else quantile_moments(quantile, number)[1]

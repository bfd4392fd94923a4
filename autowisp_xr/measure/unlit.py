"""``read_noise``: what the electronics add to a frame, from pairs of biases alone."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.measure.pairs import Frames, Pairs
from autowisp_xr.measure.tiles import Tiles
from autowisp_xr.measure.transfer_checks import check_tiles, ready, warn_of_ends, whole_number
from autowisp_xr.measure.transfer_curve import read_noise_of, samples
from autowisp_xr.measure.transfer_table import counts
from autowisp_xr.options import OverscanChoice
from autowisp_xr.steps.channels import trim

__all__ = ["read_noise"]

_LEAST_TILE = 8


def read_noise(
    biases: xr.Dataset,
    *,
    camera: Camera | None = None,
    overscan: OverscanChoice = None,
    tile: int = 32,
    max_pairs: int = 8,
) -> xr.Dataset:
    """Read noise of each channel in ADU, with its error, from how pairs of biases differ.

    It takes no flats, and no gain; times the gain it is in electrons.

    Parameters
    ----------
    biases, camera, overscan, tile, max_pairs
        As for :func:`~autowisp_xr.measure.gain_and_read_noise`; what is not given travels with
        ``biases``.

    Returns
    -------
    Dataset over ``channel``, in memory: ``read_noise_adu``, ``read_noise_adu_error``,
    ``bias_pairs`` and ``bias_tiles``, as there.

    Raises
    ------
    SchemaError, CalibrationError, ImageMismatchError
        As there, for biases.

    Warns
    -----
    AutowispWarning
        Where many pixels are cut off at their lowest value.
    """
    tile = whole_number("tile", tile, _LEAST_TILE)
    max_pairs = whole_number("max_pairs", max_pairs, 1)
    biases = ready(biases, "biases")
    camera = camera or schema.camera_of(biases)
    one = trim(biases.isel(frame=[0]), camera=camera)
    channels = schema.names(one, "channel")
    tiles = Tiles.over((one.sizes["y"], one.sizes["x"]), tile)
    frames = Frames(biases, camera, overscan, tiles, channels, lit=False)
    pairs = Pairs(frames, max_pairs, lambda first, second: "")
    found, names = samples(pairs, scaled=False)
    warn_of_ends(frames, stacklevel=3)
    check_tiles("biases", channels, found, pairs.left_out)
    noises = [read_noise_of(sample) for sample in found]
    adu = np.sqrt([noise.value for noise in noises])
    errors = np.array([noise.error for noise in noises]) / (2 * np.where(adu > 0, adu, 1.0))
    result = xr.Dataset(
        {
            "read_noise_adu": ("channel", adu, {"units": "adu"}),
            "read_noise_adu_error": ("channel", errors, {"units": "adu"}),
        }
        | counts("bias", found, noises),
        {"channel": one["channel"].variable},
    )
    options: dict[str, Any] = {
        "tile": tile,
        "max_pairs": max_pairs,
        "bias_pairs": names,
        "left_out": pairs.left_out,
    }
    return provenance.record(result, "read_noise", options, source=biases)

"""``read_noise``: what the electronics add to a frame, from pairs of biases alone."""

import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.measure import transfer_checks as checks
from autowisp_xr.measure import transfer_table as table
from autowisp_xr.measure.frame_pairs import Frames, Pairs
from autowisp_xr.measure.tile_scatter import LEAST_TILE, Tiles
from autowisp_xr.measure.transfer_curve import read_noise_of
from autowisp_xr.options import OverscanChoice
from autowisp_xr.steps.geometry import trim


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
    tile = checks.whole_number("tile", tile, LEAST_TILE)
    max_pairs = checks.whole_number("max_pairs", max_pairs, 1)
    biases = checks.ready(biases, "biases")
    camera = camera or schema.camera_of(biases)
    one = trim(biases.isel(frame=[0]), camera=camera)
    tiles = Tiles.over((one.sizes["y"], one.sizes["x"]), tile)
    frames = Frames(biases, camera, overscan, tiles, schema.names(one, "channel"), lit=False)
    pairs = Pairs(frames, max_pairs)
    found, names = checks.checked_samples("biases", pairs)
    noises = [read_noise_of(sample) for sample in found]
    columns = {**table.read_noise_columns(noises), **table.counts("bias", found, noises)}
    result = xr.Dataset(table.over_channel(columns), {"channel": one["channel"].variable})
    options = {
        "tile": tile,
        "max_pairs": max_pairs,
        "bias_pairs": names,
        "left_out": pairs.left_out,
    }
    return provenance.record(result, "read_noise", options, source=biases)

"""Gain and read noise of a camera, measured from pairs of flats and of biases."""

import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.measure import transfer_checks as checks
from autowisp_xr.measure import transfer_curve as transfer
from autowisp_xr.measure.frame_pairs import Frames, Pairs, by_channel, preparation
from autowisp_xr.measure.linearity_checks import bias_of
from autowisp_xr.measure.tile_scatter import LEAST_TILE, Tiles
from autowisp_xr.measure.transfer_curve import Slope
from autowisp_xr.options import OverscanChoice, whole_number
from autowisp_xr.steps.base import per_channel
from autowisp_xr.steps.geometry import trim


def gain_and_read_noise(
    flats: xr.Dataset,
    biases: xr.Dataset,
    *,
    camera: Camera | None = None,
    overscan: OverscanChoice = None,
    tile: int = 32,
    max_pairs: int = 8,
) -> xr.Dataset:
    r"""Measure gain and read noise of each channel, with uncertainties, from pairs of frames.

    Parameters
    ----------
    flats
        Raw frames (frame, channel, y, x) in ADU of anything that lights the pixels evenly, as
        ``open_fits`` gives them: lamps, twilight, clouded or not, of any filters. They are pairs of
        neighbours in time, of one ``filter``, whose levels differ by less than a factor of two;
        each is in one pair at most.
    biases
        Raw frames of the same pixels without light.
    camera
        Its areas, bias level, saturation and linearity; by default the one that travels with
        ``flats``. What it states of gain and read noise takes no part. A flat that stops at a value
        below the saturation, as :func:`~autowisp_xr.measure.saturation` finds it, saturates there.
    overscan
        As for :func:`~autowisp_xr.calibrate`. The noise of an overscan level counts as read noise.
    tile
        Pixels a side of the squares in which frames are compared: small enough to be lit evenly.
        At most 1500 of them are taken, spread over the frame; of a smaller frame, all is one.
    max_pairs
        Pairs of flats, and of biases, that are looked at, spread over the frames that there are.

    Returns
    -------
    Dataset over ``channel``, in memory:

    ``gain``, ``gain_error``
        Electrons per ADU.
    ``read_noise``, ``read_noise_error``
        Electrons, digitisation included.
    ``read_noise_adu``, ``read_noise_adu_error``
        The same in ADU.
    ``flat_pairs``, ``flat_tiles``, ``bias_pairs``, ``bias_tiles``
        How many of each it rests on; a tile counts in each of its pairs.

    and over ``channel`` and ``point`` the photon transfer curve: ``signal`` in ADU, and
    ``signal_variance`` of one frame at that signal with ``signal_variance_error``, in ADU\
    :sup:`2`; the coordinate ``pair`` names the frames. A pair gives several points where it is
    not lit evenly; NaN where a channel has fewer than others. Which pairs were taken, and why
    other frames that were read were not, stands in its history.

    Each frame is read once, one at a time, also where it is lazy or cut in chunks, which change
    no bit.

    Raises
    ------
    SchemaError, CalibrationError
        For what are no frames, or no raw ones in ADU; for fewer than two flats or biases; where no
        pair can be used, with the reasons (copies of one exposure are no pair), or where there is
        no light in the flats.
    ImageMismatchError
        For biases of other pixels or channels than the flats, or another setting of the gain; for
        frames of types that cannot be meant.

    Warns
    -----
    AutowispWarning
        Where the relative uncertainty of a gain is more than 5 %, and where the curve is no line:
        its points are off by more than twice their uncertainties. That of the gain is larger then,
        by as much as they are. Where flats saturate at a value that the camera does not name, and
        where many pixels of the biases are cut off at their lowest value.

    See Also
    --------
    completed_camera : the same as a :class:`~autowisp_xr.Camera`.
    autowisp_xr.plot.photon_transfer_curve : a picture of it.

    Notes
    -----
    With f flats less the mean of n biases [1]_ [2]_, in each tile, with s its mean in the first
    frame of a pair and r the ratio of both,

    .. math::
        \operatorname{var}(f_1 - r f_2) = \frac{s (1 + r)}{g}
        + \sigma^2 \left(1 + r^2 + \frac{(1 - r)^2}{n}\right), \qquad
        \operatorname{var}(b_1 - b_2) = 2 \sigma^2

    The response of pixels cancels, as does a lamp that drifts, or a gradient that turns:
    variances are about the means of cells of 8 x 8 pixels in each tile. Left out are pixels with a
    flag, those beyond five standard deviations in the difference or in either flat (hot and dead
    ones, stars), and tiles that saturate. 1 / g is the mean over the tiles of all pairs, weighted
    by the error that is expected of each, without those beyond three. Errors are from how much
    tiles scatter, and from how much the level of the biases does from frame to frame.

    What is systematic is not in the uncertainties. Stars of twilight flats and cosmic rays that are
    too faint to be distinguished from noise make a gain seem smaller, by up to one per cent, and by
    four in a field crowded with bright stars; that bright pixels lose electrons to their neighbours
    makes it seem larger, by a few per cent near the full well [3]_, and so does binning or shifting
    by software. A read noise below 0.4 ADU hides between two digits.

    References
    ----------
    .. [1] Janesick, J. R., 2007, Photon Transfer (SPIE Press).
    .. [2] Mullikin, J. C., et al., 1994, Proc. SPIE 2173, 73.
    .. [3] Downing, M., et al., 2006, Proc. SPIE 6276, 627609.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(256, 256), seed=1, gain=1.5)
    >>> measured = aw.measure.gain_and_read_noise(night.flat(4), night.bias(4))
    >>> round(float(measured.gain[0]), 1), round(float(measured.read_noise[0]))
    (1.5, 8)
    >>> camera = aw.measure.completed_camera(aw.Camera(saturation=60_000), measured)
    """
    tile = whole_number("tile", tile, LEAST_TILE)
    max_pairs = whole_number("max_pairs", max_pairs, 1)
    flats, biases = checks.ready(flats, "flats"), checks.ready(biases, "biases")
    camera = camera or schema.camera_of(flats)
    one, other = (trim(ds.isel(frame=[0]), camera=camera) for ds in (flats, biases))
    checks.check_same_pixels(one, other)
    checks.check_same_setting(flats, biases)
    channels = schema.names(one, "channel")
    how = camera, overscan, Tiles.over((one.sizes["y"], one.sizes["x"]), tile), channels
    mean = transfer.MeanBias()
    unlit = Pairs(Frames(biases, *how, lit=False), max_pairs)
    of_biases, bias_pairs = checks.checked_samples("biases", unlit, mean)
    bias, master = mean.mean(), None
    if camera.bends:
        # what bends is the signal above the bias, which is subtracted before it is made linear
        master, _ = bias_of(biases, camera, overscan)
        bias = 0 * bias
    shining = Frames(flats, *how, group="filter", bias=bias, master=master)
    lit = Pairs(shining, max_pairs, checks.apart)
    of_flats, flat_pairs = checks.checked_samples("flats", lit)
    noises = [transfer.read_noise_of(sample) for sample in of_biases]
    curves = [
        _curve(*each, mean.number, len(flat_pairs))
        for each in zip(channels, of_flats, noises, mean.drifts(), strict=True)
    ]
    checks.warn_of_curves(curves)
    gains = [curve.gain._replace(error=curve.gain.error * curve.misfit) for curve in curves]
    variables, coords = transfer.over_points([curve.points for curve in curves], flat_pairs)
    columns = {
        **transfer.gain_columns(gains, noises),
        **transfer.counts("flat", of_flats, gains),
        **transfer.counts("bias", of_biases, noises),
        **variables,
    }
    result = xr.Dataset(columns, {"channel": one["channel"].variable, **coords})
    options = {
        **preparation(camera, overscan),
        "tile": tile,
        "max_pairs": max_pairs,
        "flat_pairs": flat_pairs,
        "bias_pairs": bias_pairs,
        "left_out": {**unlit.left_out, **lit.left_out},
    }
    return provenance.record(
        result, "gain_and_read_noise", options, source=flats, masters={"biases": biases}
    )


def _curve(
    channel: str, flats: transfer.Sample, noise: Slope, drift: float, biases: int, pairs: int
) -> transfer.Curve:
    gain = transfer.gain_of(flats, noise, biases, drift)
    checks.check_light(channel, flats, gain)
    points = transfer.points_of(flats, gain, noise, biases, pairs)
    return transfer.Curve(channel, noise, gain, points)


def completed_camera(camera: Camera, measured: xr.Dataset) -> Camera:
    """Return the same camera, completed by what was measured.

    Parameters
    ----------
    camera
        Gain or read noise that it states stay as they are.
    measured
        What :func:`gain_and_read_noise` returns.

    Returns
    -------
    Camera with a gain and a read noise: plain numbers where there is one channel, else
    {channel: number}. Where the gain was given and the read noise was not, the electrons of
    the read noise are those of that gain, so that it is what was measured in ADU.

    Raises
    ------
    CalibrationError
        Where the camera has other channels than were measured.

    Examples
    --------
    >>> import xarray as xr
    >>> names = ("gain", "read_noise", "read_noise_adu")
    >>> measured = xr.Dataset({n: ("channel", [v]) for n, v in zip(names, (1.5, 8.1, 5.4))})
    >>> completed_camera(Camera(), measured).read_noise
    8.1
    >>> completed_camera(Camera(gain=2), measured).read_noise
    10.8
    """
    channels = schema.names(measured, "channel")
    read_noise = measured["read_noise"].values
    if camera.gain is not None:
        read_noise = measured["read_noise_adu"].values * per_channel(camera.gain, channels, "gain")
    facts = {"gain": measured["gain"].values, "read_noise": read_noise}
    return camera.completed_by(
        {name: by_channel(channels, values) for name, values in facts.items()}
    )


def read_noise(
    biases: xr.Dataset,
    *,
    camera: Camera | None = None,
    overscan: OverscanChoice = None,
    tile: int = 32,
    max_pairs: int = 8,
) -> xr.Dataset:
    """Measure the read noise of each channel in ADU, with its uncertainty, from pairs of biases.

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

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> found = aw.measure.read_noise(aw.simulate.Night(shape=(128, 128), seed=1).bias(4))
    >>> round(float(found.read_noise_adu[0]))
    5
    """
    tile = whole_number("tile", tile, LEAST_TILE)
    max_pairs = whole_number("max_pairs", max_pairs, 1)
    biases = checks.ready(biases, "biases")
    camera = camera or schema.camera_of(biases)
    one = trim(biases.isel(frame=[0]), camera=camera)
    tiles = Tiles.over((one.sizes["y"], one.sizes["x"]), tile)
    frames = Frames(biases, camera, overscan, tiles, schema.names(one, "channel"), lit=False)
    pairs = Pairs(frames, max_pairs)
    found, names = checks.checked_samples("biases", pairs)
    noises = [transfer.read_noise_of(sample) for sample in found]
    columns = {**transfer.read_noise_columns(noises), **transfer.counts("bias", found, noises)}
    result = xr.Dataset(columns, {"channel": one["channel"].variable})
    options = {"tile": tile, "max_pairs": max_pairs, "bias_pairs": names}
    options["left_out"] = pairs.left_out
    return provenance.record(result, "read_noise", options, source=biases)

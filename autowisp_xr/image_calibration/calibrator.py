"""``Calibrator`` makes calibrated files of raw files."""

import copy
import operator
import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar

from astropy.io import fits

from autowisp_xr.arrays import Image, Mask
from autowisp_xr.bridge.remembering import Remembered, remembering
from autowisp_xr.errors import AutowispWarning, ImageMismatchError
from autowisp_xr.headers.cards import set_cards
from autowisp_xr.image_calibration import calibrated_frame, outputs
from autowisp_xr.image_calibration.calibrated_frame import (
    calibrate_frame,
    camera_of,
    measured_overscan,
)
from autowisp_xr.image_calibration.loaded_masters import UNSET, MasterFiles, load_masters
from autowisp_xr.image_calibration.parameters import DEFAULTS, INPUTS, normalised, resolved
from autowisp_xr.image_calibration.raw_frame import channel_slices, read_raw
from autowisp_xr.kinds import MASTERS
from autowisp_xr.options import with_options
from autowisp_xr.regions import Region
from autowisp_xr.steps.base import transferred


class Calibrator:
    r"""Calibrate raw FITS files, with uncertainty and mask carried through every step.

    What the constructor is given holds for all frames; the same names in a call hold for that
    call only.

    Parameters
    ----------
    saturation_threshold : float, optional
        A pixel above this, in ADU after ``bias_level_adu`` is subtracted, is saturated. By default
        the level that the header states (SATURATE and the like), else the ceiling of the integers.
    raw_hdu : int or dict, optional
        HDU of the image, counted from 0 (an HDU without pixels counts, too), or {channel: HDU}
        where each channel has its own. By default the first that holds an image.
    split_channels : dict, optional
        {name: (slice of rows, slice of columns)} of a colour camera, in raw-frame pixels, whatever
        ``image_area`` starts at; False, None and {None: slice(None)} are a single channel.
        Channels that are not listed are not written.
    overscans : dict, optional
        "areas", a list of dictionaries like ``image_area``, and "method", as in
        :mod:`~autowisp_xr.image_calibration.overscan_methods`; further entries go to the method.
        None, or an entry of None, for no correction.
    image_area : dict, optional
        xmin, xmax, ymin, ymax of the pixels that see the sky, counted from 0, maxima excluded; the
        shape of all masters. By default the whole frame.
    gain : float
        Electrons per ADU; None takes GAIN from the header of the image.
    read_noise_electrons : float
        Read noise in electrons, part of the uncertainty of each pixel.
    bias_level_adu : float
        A constant subtracted first, from overscan pixels too.
    leak_directions : list of (int, int)
        Steps (dx, dy) in raw-frame pixels from a saturated pixel to those that its charge spills
        into.
    calibrated_fname : str
        Name of the file to write, or ``calibrated=``: a template with keywords of the result in
        braces, such as "CAL/{RAWFNAME}_{CLRCHNL}.fits.fz". RAWFNAME is the name of the raw file
        without directories, ".fits" and ".fz".
    compress_calibrated : int, bool or None
        Tile compression that rounds pixels to the scatter of their row over this number; True is
        16. None, False: without loss.
    allow_overwrite : bool
        Whether a file of that name may be replaced.
    exposure_start_utc, exposure_start_jd : str, optional
        Expressions over header keywords ("-" written "_") for the start of the exposure, as a
        date with time or as a Julian date; the former wins. They give JD-OBS, mid exposure.
    exposure_seconds : str, optional
        Expression for the exposure, stored as EXPTIME; EXPTIME itself where a start is given.
    fnum : str, optional
        Expression for the number of the frame, FNUM; it may use JD_OBS.
    project_home : str, optional
        Stored as PROJHOME, and may be used in ``calibrated_fname``.
    extra_header : dict, optional
        Further keywords, with a value or (value, comment), that replace those of the raw frame.
    diagnostic_quantiles : list of float, optional
        Quantiles of good pixels to return.
    dtype : {"float64", "float32"}
        Type of the image and its uncertainty in the files; all arithmetic is float64.
    master_bias, master_dark, master_flat : str or dict, optional
        Files of the masters, and ``masks``: see :meth:`set_masters`.

    Attributes
    ----------
    configuration : dict
        The parameters above, as the constructor left them.
    master_bias, master_dark, master_flat : dict or None
        ``filenames`` by channel, and ``correction`` [ADU, for the flat a factor], ``variance`` and
        ``mask``, (y, x) over the image area with the channels interleaved.
    masks : dict or None
        ``filenames`` (lists) by channel, and ``image``, their union, (y, x) uint8.

    Notes
    -----
    In this order, for each pixel I in ADU with variance V: trim, subtract the bias level, flag
    saturation and leaks; subtract overscan and bias; :math:`V \mathrel{+}= |I| / g + (r / g)^2`
    with gain g and read noise r; subtract the dark; divide by the flat F,
    :math:`V \leftarrow V / F^2 + \sigma_F^2 I^2 / F^4` with I before the division. Each step adds
    the variance of its master. All of it is :func:`autowisp_xr.calibrate` with
    ``photons="absolute"``; darks are not scaled and flats not normalised.

    Files hold the image, its uncertainty (one standard deviation) and the mask, in ADU. Pixels that
    are not finite, or whose flat is not positive, are NaN and flagged FAULT. A master's flags go
    over to the frame, its saturated pixels as FAULT.

    Examples
    --------
    >>> calibrate = Calibrator(
    ...     gain=16.0, image_area=dict(xmin=0, xmax=4096, ymin=20, ymax=4116)
    ... )
    >>> calibrate.configuration["compress_calibrated"]
    16
    """

    default_configuration: ClassVar[dict[str, Any]] = DEFAULTS
    """The value of each parameter that is not given."""

    module_git_ids: ClassVar[dict[str, str]] = calibrated_frame.module_git_ids
    """The SHA-1 of the source of each component, as Git computes it; they go into the header."""

    @with_options({**DEFAULTS, **dict.fromkeys((*(f"master_{kind}" for kind in MASTERS), "masks"))})
    def __init__(self, **configuration: Any) -> None:
        given = normalised(configuration)
        masters = {name: given.pop(name) for name in INPUTS if name in given}
        self.configuration = copy.deepcopy({**DEFAULTS, **self.default_configuration}) | given
        self._masters: dict[str, Any] = dict.fromkeys(INPUTS)
        self._remembered: tuple[list[dict[str, Any] | None], Remembered] = (
            [{}] * len(INPUTS),
            {},
        )
        self.set_masters(**masters)

    def set_masters(
        self,
        *,
        bias: MasterFiles = UNSET,
        dark: MasterFiles = UNSET,
        flat: MasterFiles = UNSET,
        masks: MasterFiles = UNSET,
    ) -> None:
        """Choose masters for the frames to come; one that is not named stays as it was.

        Parameters
        ----------
        bias, dark, flat : str or dict or None
            File of the master; {channel: file} for several channels; None for none.
        masks : str, list, dict or None
            File, or list of files, whose flags all frames get; {channel: file or list}.

        Raises
        ------
        FileNotFoundError, BadImageError
            For files that cannot be read; they are read now.
        CalibrationError
            For a channel without a file, or a value that is not the name of a file.
        """
        given = {"bias": bias, "dark": dark, "flat": flat, "masks": masks}
        loaded = load_masters(given)
        channels = channel_slices(self.configuration["split_channels"])
        for master in filter(None, loaded.values()):
            master.of(channels)
        self._masters |= loaded

    def __call__(
        self, raw: str | PathLike[str], **calibration_params: Any
    ) -> dict[str | None, list[tuple[str, float]]] | None:
        """Calibrate a raw frame, and write a file for each of its channels.

        Parameters
        ----------
        raw
            File of the raw frame.
        **calibration_params
            Any parameter of the constructor, for this frame only; masters also as ``bias``,
            ``dark`` and ``flat``, and None for none.

        Returns
        -------
        None; with ``diagnostic_quantiles``, {channel: [("pixel_q5", median), ...]}, the key of an
        only channel being None.

        Raises
        ------
        FileExistsError, CalibrationError, OutsideImageError, ImageMismatchError, HeaderError
            Before anything is calibrated or written; see :meth:`check_calib_params`.
        """
        params = self._get_calibration_params(calibration_params)
        frame = read_raw(raw, params["raw_hdu"], channel_slices(params["split_channels"]))
        params = resolved(params, frame)
        self.check_calib_params(frame.image, params)
        overscan = measured_overscan(frame, params)
        headers = {}
        for name, slices in params["channels"].items():
            header = frame.headers[name]
            calibrated_frame.document_exposure(header, params)
            set_cards(header, params["extra_header"])
            headers[name] = calibrated_frame.document_channel(header, name, slices, params)
            self._document_in_header(params, headers[name])
        names = outputs.output_names(headers, params)
        self.check_outputs(list(names.values()), params, frame.path)
        with remembering(self._remembered_for([params[kind] for kind in INPUTS])):
            calibrated = calibrate_frame(frame, params, overscan)
        outputs.write_channels(calibrated, headers, names, params)
        quantiles = params["diagnostic_quantiles"]
        if quantiles is None:
            return None
        return outputs.diagnostics(calibrated, params["channels"], quantiles)

    @staticmethod
    def check_calib_params(raw_image: Image, calib_params: Mapping[str, Any]) -> None:
        """Check parameters against each other and against a raw image.

        Parameters
        ----------
        raw_image : (y, x) array
        calib_params
            Any of ``image_area``, ``overscans``, ``gain``, ``leak_directions``, and ``bias``,
            ``dark``, ``flat`` as the attributes hold them.

        Raises
        ------
        CalibrationError
            For areas that are empty or inverted; a gain that is no finite positive number; leak
            directions that are no pairs of whole numbers.
        OutsideImageError
            For areas that reach outside the image.
        ImageMismatchError
            For masters of another shape than the image area.

        Warns
        -----
        AutowispWarning
            For an overscan area inside of the image area, where that is not the whole frame.
        """
        camera = camera_of(calib_params)
        height, width = raw_image.shape
        area = camera.image_area or Region(xmin=0, xmax=width, ymin=0, ymax=height)
        area.check_inside(height, width, "image_area")
        for number, region in enumerate(camera.overscan):
            region.check_inside(height, width, f"overscan area {number}")
            if area.shape != (height, width) and region.overlaps(area):
                warnings.warn(
                    f"the overscan area {number}, {region}, overlaps the image area {area}, which "
                    "sees light; its level is subtracted all the same",
                    AutowispWarning,
                    stacklevel=3,
                )
        for kind in MASTERS:
            master = calib_params.get(kind) or {}
            for name in ("correction", "variance", "mask"):
                plane = master.get(name)
                if plane is not None and plane.shape != area.shape:
                    raise ImageMismatchError(
                        f"the {name} of the master {kind} has the shape {plane.shape} (rows, "
                        f"columns), the image area {area} has {area.shape}"
                    )

    @property
    def master_bias(self) -> dict[str, Any] | None:
        """The master bias that frames are calibrated with, or None."""
        return self._assembled("bias")

    @property
    def master_dark(self) -> dict[str, Any] | None:
        """The master dark, as ``master_bias``."""
        return self._assembled("dark")

    @property
    def master_flat(self) -> dict[str, Any] | None:
        """The master flat, as ``master_bias``."""
        return self._assembled("flat")

    @property
    def masks(self) -> dict[str, Any] | None:
        """The separate masks, or None."""
        return self._assembled("masks")

    def _remembered_for(self, masters: list[dict[str, Any] | None]) -> Remembered:
        """Return what was made of these masters for frames before; nothing for new ones."""
        before, results = self._remembered
        if not all(map(operator.is_, masters, before)):
            results = {}
            # in one step, as threads share it
            self._remembered = (masters, results)
        return results

    def _assembled(self, name: str) -> dict[str, Any] | None:
        loaded = self._masters[name]
        if loaded is None:
            return None
        return loaded.as_configured(
            channel_slices(self.configuration["split_channels"]), self.configuration["image_area"]
        )

    def _get_calibration_params(self, overwrite_params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of one frame: those of the call before those of the constructor."""
        given = normalised(overwrite_params)
        masters = {name: given.pop(name, UNSET) for name in INPUTS}
        return {**self.configuration, **self._masters, **given, **load_masters(masters)}

    def check_outputs(self, files: Sequence[str], params: Mapping[str, Any], raw: str) -> None:
        """Raise FileExistsError and the like if files of a frame may not be written.

        It is called before a frame is calibrated; a subclass may refuse more.

        Parameters
        ----------
        files
            Names of the files that would be written.
        params
            The parameters of the frame, with its masters.
        raw
            File of the raw frame.
        """
        masters = (params[kind] for kind in INPUTS if params[kind])
        used = [entry["path"] for master in masters for entry in master["files"]]
        for file in files:
            outputs.check_output(file, overwrite=params["allow_overwrite"], inputs=[raw, *used])

    @staticmethod
    def _document_in_header(calibration_params: Mapping[str, Any], header: fits.Header) -> None:
        """Add to a header that has its CLRCHNL how the frame was calibrated."""
        calibrated_frame.document_calibration(header, calibration_params)

    @staticmethod
    def _calib_mask_from_master(mask: Mask) -> None:
        """Reduce the mask of a master, in place, to the flags that frames inherit from it."""
        mask[...] = transferred(mask)

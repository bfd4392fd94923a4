"""``MasterMaker`` stacks files of frames to the file of a master."""

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from astropy.io import fits
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Image
from autowisp_xr.frames.write import quantize_level
from autowisp_xr.image_calibration.loaded_masters import UNSET
from autowisp_xr.image_calibration.outputs import check_output
from autowisp_xr.image_calibration.stacked_master import (
    SINCE,
    STACKING,
    Files,
    Stacking,
    computed,
    listed,
    opened,
    prepared,
    stacked,
    write_master,
)
from autowisp_xr.options import with_options

Result = tuple[Image | None, Image | None, Image | None, fits.Header | None, list[str]]


class MasterMaker:
    r"""Stack calibrated FITS files to a master.

    What the constructor is given holds for all masters; the same names in a call hold for that
    call only.

    Parameters
    ----------
    outlier_threshold : float or (float, float), default 5.0
        Values farther from the average than this, in units of the root mean square distance from
        it, are rejected: a number for both sides, or two of opposite signs.
    average_func : default numpy.nanmedian
        ``numpy.nanmedian`` or ``numpy.nanmean``; also "median", "mean", "quantile:0.7", or a
        ``functools.partial`` of ``numpy.nanquantile``.
    min_valid_frames : int, default 10
        With fewer frames there is no master.
    min_valid_values : int, default 5
        A pixel with fewer values left is flagged BAD.
    max_iter : int or inf, default inf
        Rejections at most; the average is always that of the survivors.
    exclude_mask : sequence of str, or int, default ("BAD",)
        Names of flags, or the bitwise or of their bits; pixels that bear any of them are left out.
        Other flags are ignored.
    compress : int, bool or None, default 16
        As for :class:`~autowisp_xr.image_calibration.Calibrator`.
    add_averaged_keywords : sequence of str, default ()
        Header keywords whose values are averaged in the same way as the pixels. One whose value
        all frames share keeps that value.
    scale, sky : default None
        How frames are brought to one level before they are stacked, as :func:`autowisp_xr.stack`
        takes them; not in the original. "sum" is an ``average_func``, too.

    Attributes
    ----------
    stacking_options : dict
        Keyword arguments of :meth:`stack` that are not given in a call.
    compress
        As above.

    Notes
    -----
    Each pixel is averaged on its own by :func:`autowisp_xr.stack`. The uncertainty of a master is
    the standard error of a mean, :math:`\sqrt{\sum (x - a)^2 / (n (n - 1))}` of the n values left
    with the average a, also for a median, whose true one is larger by up to
    :math:`\sqrt{\pi/2}`; those of the frames are not used. (:func:`autowisp_xr.stack` gives
    variances that are right to 2 %, or its help how far off they are.) A pixel without a value is
    NaN, and so is its uncertainty; that of a single value is NaN, too.

    Frames are read and stacked in bands of rows, so that they need not fit in memory; the master
    does. Where :meth:`prepare_for_stacking` is overridden, what it returns waits in the directory
    for temporary files (TMPDIR), with 8 bytes a pixel.

    Examples
    --------
    >>> make_master = MasterMaker(outlier_threshold=10.0, min_valid_frames=3)
    >>> make_master(["f1.fits", "f2.fits"], "master.fits")
    (False, [])
    """

    default_exclude_mask: ClassVar[tuple[str, ...]] = ("BAD",)
    """Flags that exclude a pixel unless others are named: BAD stands for all of them."""

    @with_options(STACKING)
    def __init__(self, *, compress: float | bool | None = 16, **stacking_options: Any) -> None:
        quantize_level(compress)
        self.compress = compress
        self.stacking_options = vars(Stacking.of(stacking_options)).copy()

    def prepare_for_stacking(self, image: Image) -> ArrayLike | None:
        """Return a frame as it is to be stacked: a hook to override; here frames stay as they are.

        Parameters
        ----------
        image : (y, x) float64 array
            One of the frames, flagged pixels included.

        Returns
        -------
        An array of the same shape to stack instead; None leaves the frame out.
        """
        return image

    def stack(
        self,
        frame_list: Files,
        *,
        custom_header: Mapping[str, Any] | None = None,
        **stacking_options: Any,
    ) -> Result:
        """Stack frames without writing anything.

        Parameters
        ----------
        frame_list
            Names of FITS files; those without a mask count as clear.
        custom_header
            Keywords, with a value or (value, comment), that replace those of the frames.
        **stacking_options
            ``min_valid_frames``, ``outlier_threshold``, ``average_func``, ``min_valid_values``,
            ``max_iter``, ``exclude_mask`` and ``add_averaged_keywords``, as for the class; none may
            be left out. ``scale`` and ``sky`` may.

        Returns
        -------
        values, stdev : (y, x) float64 arrays
            The master and its uncertainty.
        mask : (y, x) uint8 array
            BAD where there were fewer than ``min_valid_values`` values, or one only, else 0.
        header : astropy.io.fits.Header
            What all frames share, and the keywords listed under :meth:`__call__`.
        discarded : list of str
            Files that :meth:`prepare_for_stacking` left out.

        All but the last are None where there were too few frames.

        Raises
        ------
        ImageMismatchError
            For frames that differ in shape, IMAGETYP or CLRCHNL.
        HeaderError
            For a keyword to average that is no number in some frame.
        """
        given = {*stacking_options, *SINCE}
        missing = [name for name in self.stacking_options if name not in given]
        if missing:
            raise TypeError(f"stack() takes all options of stacking; there is no {missing[0]}")
        options = Stacking.of(stacking_options)
        master, header, discarded = self._outlined(listed(frame_list), options, custom_header)
        if master is None:
            return None, None, None, None, discarded
        planes = computed(master, options)
        return planes["image"], np.sqrt(planes["variance"]), planes["mask"], header, discarded

    def __call__(
        self,
        frame_list: Files,
        output_fname: str | PathLike[str],
        *,
        allow_overwrite: bool = False,
        custom_header: Mapping[str, Any] | None = None,
        compress: float | bool | None = UNSET,
        **stacking_options: Any,
    ) -> tuple[bool, list[str]]:
        """Stack frames, and write the master.

        The header holds what all frames share with one value, and NUMFCOMB (number of frames),
        ORIGF000... (their files), OUTLTHRS, AVRGFUNC, MINAVGPX, MAXREJIT, XCLUDMSK (the options),
        IMAGETYP ("master" before that of the frames), and the averaged keywords. EGAIN, RDNOISE and
        their like describe one frame, and are dropped; GAIN stays.

        Parameters
        ----------
        frame_list, custom_header
            As for :meth:`stack`.
        output_fname
            File to write; a template that may use keywords of the master in braces.
        allow_overwrite
            Whether an existing file may be replaced.
        compress
            As for the class; not given, that of the constructor.
        **stacking_options
            Keyword arguments of :meth:`stack`, for this master only.

        Returns
        -------
        Whether a master was made, and the files that were left out.

        Raises
        ------
        FileExistsError
            If there is such a file already; before anything is stacked.
        ImageMismatchError, HeaderError
            As for :meth:`stack`.
        """
        options = Stacking.of({**self.stacking_options, **stacking_options})
        compress = self.compress if compress is UNSET else compress
        quantize_level(compress)
        files = listed(frame_list)
        if "{" not in fspath(output_fname):
            # before the hook sees a frame; a template is filled in once the header is known
            check_output(fspath(output_fname), overwrite=allow_overwrite, inputs=files)
        master, header, discarded = self._outlined(files, options, custom_header)
        if master is None or header is None:
            return False, discarded
        output: dict[str, Any] = {"allow_overwrite": allow_overwrite, "compress": compress}
        write_master(master, header, output_fname, options, inputs=files, **output)
        return True, discarded

    def _outlined(
        self, files: Sequence[str], options: Stacking, custom_header: Mapping[str, Any] | None
    ) -> tuple[xr.Dataset | None, fits.Header | None, list[str]]:
        """Return the master, not yet computed, its header, and the files that were left out."""
        fewest = max(options.min_valid_frames, 1)
        if len(files) < fewest:
            return None, None, []
        changed = getattr(self.prepare_for_stacking, "__func__", None) is not _AS_THEY_ARE
        # sums are in float64 anyway: only the hook needs frames in it
        frames = opened(files, dtype=np.float64 if changed else None)
        discarded: list[str] = []
        if changed:
            frames, discarded = prepared(frames, self.prepare_for_stacking)
        if frames.sizes["frame"] < fewest:
            return None, None, discarded
        return *stacked(frames, options, custom_header), discarded


_AS_THEY_ARE = MasterMaker.prepare_for_stacking

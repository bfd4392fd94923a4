"""``RunningStack``: a mean that is kept up to date while frames come in."""

import warnings
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import AutowispWarning, ImageMismatchError
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.options import ErrorSource
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.stack.averaging import (
    check_one_type,
    errors_used,
    propagates,
    variables_of,
    with_rounding,
)
from autowisp_xr.stack.coordinates import summarised
from autowisp_xr.stack.engine import Rules
from autowisp_xr.stack.frames_so_far import FramesSoFar, concat_outlines, new_among, own_frames
from autowisp_xr.stack.held_frames import (
    OWN,
    WEIGHT,
    begun,
    judgement_of,
    line_between,
    taken_in,
    with_levels,
)
from autowisp_xr.stack.masters import ROBUST
from autowisp_xr.stack.options import Match, StackOptions, as_json, check_match, of_json
from autowisp_xr.stack.running_state import RunningState, packed, unpacked
from autowisp_xr.stack.weights import weights_of
from autowisp_xr.steps.master_matching import check_alike
from autowisp_xr.steps.noise_sources import warn_if_lost
from autowisp_xr.store import open_zarr, to_zarr
from autowisp_xr.store.group import StoreLike

_MANY = 0.2
"""A frame of which such a share is rejected is not one of the others with some outliers."""


class RunningStack:
    r"""A mean of frames that is kept up to date while they come in, in constant memory.

    Parameters
    ----------
    reject
        A :class:`~autowisp_xr.SigmaClip`, or None to keep all. The first ``start`` frames are
        judged by it together. From then on a value is rejected that lies farther than its
        ``threshold`` from the mean m of the k values kept so far,

        .. math:: |x - m| > t\,\sqrt{(1 + 1/k)\,\max(s^2, f^2)},

        with their scatter s, and the floor f that ``reject`` has: the step of the digitisation;
        with ``floor="noise"``, as by default, also the noise that most pixels have, and that which
        the variance of the value states.
    start
        So many frames are held until they are judged together (three without rejection).
    exclude, min_values, error, average_keywords, allow_mismatch, rejected, dtype
        As for :func:`stack`.
    weights
        ``"exposure"``, ``"variance"`` or ``"noise"`` as for :func:`stack`; ``"given"`` for numbers
        that come with the frames. None: all the same.

    scale, sky
        How frames are brought to the level of the first one where outliers are found, as for
        :func:`stack`: ``sky=("median", None)``, with "median", "mode" or "mean", or a
        :class:`~autowisp_xr.Match` of one of them. Without, a sky that changes makes outliers of
        whole frames. The average is always of the frames as they are.

    Raises
    ------
    ValueError
        For options that there are not, or another way to reject.

    Notes
    -----
    Without rejection it is the mean, and has the variance, of ``stack(frames, "mean")`` to the
    rounding of float64, whatever the order, with two exceptions: the scatter of a weighted mean is

    .. math:: V = \frac{\sum p^2 (x - \bar x)^2}{1 - \sum p^2},

    unbiased for the same noise as that of ``stack`` (as 1 / w, or equal weights); and where frames
    have each a zero of their light of their own, photons of a mean that lies between those are
    approximate. With rejection it is that of the first ``start`` frames until there are more. What
    was kept or rejected stays so, as that is all that can be known in constant memory.

    Sums are float64: 30 bytes a pixel, 38 of frames with a variance, 78 where photons are known;
    40 more with weights, 8 to 24 for each set of masters whose noise frames share, and the first
    ``start`` frames until there are more. Coordinates and headers of all frames are kept.

    Share of outliers so many sigma above their pixel that are rejected at a threshold of 5 (one
    value in a hundred is one; of good values, less than one in a million is rejected), and the same
    of a stack of all with the same ``SigmaClip``:

    ====== ===== ===== ===== ===== ===== ===== ===== =====
    |      running                 all at once
    ------ ----------------------- -----------------------
    frames 6     8     12    30    6     8     12    30
    ====== ===== ===== ===== ===== ===== ===== ===== =====
    10     0.38  0.81  0.988 1.000 0.39  0.83  0.994 1.000
    30     0.44  0.89  0.995 1.000 0.51  0.94  1.000 1.000
    100    0.48  0.93  0.998 1.000 0.58  0.97  1.000 1.000
    ====== ===== ===== ===== ===== ===== ===== ===== =====

    Mean of the reported variance over the true one (error 0.005), running and all at once:

    ====== ========= ======= ===== ========= =====
    |                scatter       propagate
    ---------------- ------------- ---------------
    frames threshold running all   running   all
    ====== ========= ======= ===== ========= =====
    10     2         0.65    0.66  0.81      0.82
    30     2         0.62    0.65  0.78      0.81
    100    2         0.58    0.61  0.74      0.79
    10     3         0.95    0.95  0.97      0.97
    30     3         0.96    0.96  0.98      0.98
    100    3         0.96    0.95  0.98      0.98
    any    from 4    1.00    1.00  1.00      1.00
    ====== ========= ======= ===== ========= =====

    ``python -m tests.stack.running_table`` prints these numbers.

    Examples
    --------
    >>> from autowisp_xr import simulate
    >>> night = simulate.Night(shape=(16, 16), seed=1)
    >>> frames, running = night.objects(6), RunningStack(start=4)
    >>> for i in range(6):
    ...     running.update(frames.isel(frame=[i]))
    >>> running, running.result().image.dims
    (<RunningStack of 6 frames>, ('channel', 'y', 'x'))
    """

    def __init__(
        self,
        *,
        reject: SigmaClip | None = ROBUST,
        start: int = 8,
        exclude: str | int | Iterable[str | int] = "UNUSABLE",
        weights: Literal["exposure", "variance", "noise", "given"] | None = None,
        scale: tuple[str | Match, None] | None = None,
        sky: tuple[str | Match, None] | None = None,
        min_values: int = 1,
        error: ErrorSource = "auto",
        average_keywords: Sequence[str] = (),
        allow_mismatch: Collection[str] = (),
        rejected: bool = False,
        dtype: DTypeLike = "float32",
    ) -> None:
        if reject is not None and not isinstance(reject, SigmaClip):
            raise ValueError(
                f"a running stack rejects by SigmaClip, or not at all, not by {reject!r}: other "
                "ways need all frames at once; aw.stack has them"
            )
        if weights not in (None, "exposure", "variance", "noise", "given"):
            raise ValueError(
                "weights of a running stack are None, 'exposure', 'variance', 'noise', or 'given' "
                f"for numbers that come with update(ds, weights=...); not {weights!r}"
            )
        if start < 1:
            raise ValueError(f"start is a number of frames, at least 1, not {start}")
        self._options = StackOptions(
            average="mean",
            reject=reject,
            exclude=exclude,
            weights=weights,
            scale=scale,
            sky=sky,
            min_values=min_values,
            error=error,
            average_keywords=average_keywords,
            allow_mismatch=allow_mismatch,
            rejected=rejected,
            dtype=dtype,
        )
        for name, pair in (("scale", self._options.scales), ("sky", self._options.skies)):
            check_match(name, pair)
        self._start = start if reject is not None else min(start, 3)
        self._state: RunningState | None = None
        self._torn = False

    def __len__(self) -> int:
        """Return the number of frames."""
        return 0 if self._state is None else len(self._state.known)

    def __repr__(self) -> str:
        return f"<RunningStack of {len(self)} frames>"

    @property
    def is_whole(self) -> bool:
        """Whether it holds some frames, and none in part."""
        return self._state is not None and not self._torn

    def lacking(self, ds: xr.Dataset) -> xr.Dataset | None:
        """Return those of some frames that it lacks.

        None if it holds others than these, or the same made otherwise (as by another master).
        """
        if self._torn:
            return None
        return ds if self._state is None else new_among(ds, self._state.known.sets)

    def update(self, ds: xr.Dataset, weights: ArrayLike | xr.DataArray | None = None) -> None:
        """Take in more frames, one after the other.

        Parameters
        ----------
        ds
            Frames (frame, channel, y, x), raw or calibrated; lazy ones are computed one at a time.
        weights
            Of a stack whose weights are "given": numbers over (frame) or (frame, channel), on one
            scale for all frames.

        Raises
        ------
        ImageMismatchError
            For frames that do not go together, as for :func:`stack`, with each other and with those
            before, or that were taken in before. Then none is taken in.
        ValueError
            For weights that are missing, or not asked for.

        Warns
        -----
        AutowispWarning
            For a frame of which a fifth or more is rejected: its level or its noise is another.
        """
        self._check_whole()
        schema.check(ds)
        options = self._options
        given = options.weights == "given"
        if (weights is not None) != given:
            raise ValueError(
                "numbers are given as weights where RunningStack(weights='given'), and only there"
            )
        ds = own_frames(blocks.load_coordinates(ds))
        own = weights_of(ds, weights, MEAN, int(options.excluded)) if given else None
        if own is not None and own.ndim > 2:
            raise ValueError("weights of a running stack are numbers of frames, not of pixels")
        propagates(ds, options)
        state = self._state or RunningState(FramesSoFar(ds))
        together = state.known.check(ds)
        check_alike(
            together,
            "one stack",
            options.allow_mismatch,
            leave_out=options.needless(schema.is_raw(together)),
        )
        check_one_type(together)
        for number in range(ds.sizes["frame"]):
            frame = ds.isel(frame=[number]).compute()
            if options.weights is not None and not given:
                of_frame = weights_of(frame, options.weights, MEAN, int(options.excluded))
            else:
                of_frame = None if own is None else own[number : number + 1]
            frame = with_levels(_with_weight(frame, of_frame), options)
            self._torn = True
            self._take_in(state, frame)
            self._state, self._torn = state, False

    def result(self) -> xr.Dataset:
        """Return the stack of all frames so far.

        Returns
        -------
        As that of :func:`stack`, in memory.

        Raises
        ------
        ImageMismatchError
            If no frame has come in.
        """
        state, options = self._whole_state(), self._options
        pattern, average, digits = state.known.pattern, state.average, state.digits
        if average is None:
            average, digits, _ = begun(state.held, options)
        ds = concat_outlines(state.known.sets)
        weights = ds[WEIGHT].variable if WEIGHT in ds.coords else None
        ds = ds.drop_vars(OWN, errors="ignore")
        propagate = propagates(pattern, options)
        if propagate:
            warn_if_lost(ds)
        rules = Rules(
            quantile=MEAN,
            exclude=int(options.excluded),
            propagate=propagate,
            as_mean=options.error == "standard_error",
            min_values=options.min_values,
            dtype=np.dtype(options.dtype),
        )
        found = average.averages(rules)
        found = with_rounding(found, average.frames, digits, rules)
        planes = variables_of(found, rejected=options.rejected)
        variables = {name: (schema.DIMS[1:], plane) for name, plane in planes.items()}
        coords = summarised(ds, options, weights) | state.known.place
        result = xr.Dataset(variables, coords, ds.attrs)
        result = schema.with_attributes(result, schema.units_of(pattern))
        chosen = options.echo() | {"weights": options.weights, "running": {"start": self._start}}
        chosen |= errors_used(options, propagate, planes)
        return provenance.record(result, "stack", chosen, source=ds)

    def to_zarr(self, store: StoreLike, *, group: str | None = None) -> None:
        """Save the running stack, so that another session can go on with it.

        Parameters
        ----------
        store, group
            As for :func:`~autowisp_xr.to_zarr`. What is there is replaced, once the new is whole.
        """
        chosen = as_json(self._options) | {"start": self._start}
        to_zarr(packed(self._whole_state(), chosen), store, group=group, overwrite=True)

    @classmethod
    def open(cls, store: StoreLike, *, group: str | None = None) -> "RunningStack":
        """Open a running stack that was saved by :meth:`to_zarr`.

        Raises
        ------
        BadImageError
            If it is something else, or was not saved to the end.
        FileNotFoundError
            If there is none.
        """
        state, options = unpacked(open_zarr(store, group=group).load())
        running = cls(**of_json(options))
        running._state = state
        return running

    def _take_in(self, state: RunningState, frame: xr.Dataset) -> None:
        if state.average is not None:
            judgement = judgement_of(self._options.rejection, state.judged)
            line = line_between(frame, state.known.sets[0].isel(frame=[0]))
            _warn_of_many(frame, taken_in(state.average, frame, judgement, line=line))
        else:
            state.held.append(frame)
            if len(state.held) >= self._start:
                state.average, state.digits, state.judged = begun(state.held, self._options)
                state.held = []
        state.known.add(frame)

    def _whole_state(self) -> RunningState:
        self._check_whole()
        if self._state is None:
            raise ImageMismatchError("no frame has come in yet; give some to update()")
        return self._state

    def _check_whole(self) -> None:
        if self._torn:
            raise RuntimeError(
                "the running stack was interrupted in the middle of a frame, of which it holds a "
                "part; open the one that was saved last"
            )


def _with_weight(frame: xr.Dataset, weights: xr.Variable | None) -> xr.Dataset:
    if weights is None:
        return frame
    shape = frame.sizes["frame"], frame.sizes["channel"]
    numbers = weights.values.reshape(shape[0], -1)
    return frame.assign_coords({WEIGHT: (("frame", "channel"), np.broadcast_to(numbers, shape))})


def _warn_of_many(frame: xr.Dataset, share: float) -> None:
    if share >= _MANY:
        warnings.warn(
            f"{100 * share:.0f} % of {schema.names(frame, 'frame')[0]} was rejected: its level, or "
            "its noise, is not that of the frames so far; leave such frames out, or match them by "
            "sky=('median', None)",
            AutowispWarning,
            stacklevel=4,
        )

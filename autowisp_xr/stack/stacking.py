"""``stack``: combine frames, rejecting outliers, with a variance that is right."""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import schema
from autowisp_xr.bridge.memory_limit import MemoryLimit, limited
from autowisp_xr.options import Average, ErrorSource, Weights
from autowisp_xr.outliers.of_user import RejectChoice
from autowisp_xr.stack.averaging import stacked
from autowisp_xr.stack.options import MatchChoice, StackOptions
from autowisp_xr.steps.master_matching import check_alike


def stack(
    ds: xr.Dataset,
    average: Average | Literal["sum"] = "median",
    *,
    reject: RejectChoice = None,
    exclude: str | int | Iterable[str | int] = "UNUSABLE",
    weights: Weights = None,
    scale: MatchChoice = None,
    sky: MatchChoice = None,
    min_frames: int = 1,
    min_values: int = 1,
    error: ErrorSource = "auto",
    average_keywords: Sequence[str] = (),
    allow_mismatch: Collection[str] = (),
    rejected: bool = False,
    dtype: DTypeLike = "float32",
    memory_limit: MemoryLimit = None,
) -> xr.Dataset:
    r"""Average frames pixel by pixel.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x), raw integers or calibrated.
    average
        "median", "mean", or a number q from 0 to 1 for that quantile (linear between neighbours).
        "sum": the mean of the values left times the number of frames, so that what is rejected or
        masked in one does not make it lower; its exposure is that of all frames.
    reject
        How outliers are found: :class:`~autowisp_xr.SigmaClip`,
        :class:`~autowisp_xr.WinsorizedSigmaClip`, :class:`~autowisp_xr.LinearFitClip`,
        :class:`~autowisp_xr.GeneralizedESD`, :class:`~autowisp_xr.MinMax`,
        :class:`~autowisp_xr.Percentile` or :class:`~autowisp_xr.NoiseClip`; or an object of yours
        with a method :meth:`keep(values, mask, variance)
        <autowisp_xr.outliers.of_user.Keeps.keep>`, which is slower. None keeps all.
    exclude
        Pixels with any of these flags, and those that are not finite, are left out: FAULT, COSMIC,
        OUTER, SATURATED and INTERPOLATED, unless others are named (:class:`~autowisp_xr.Flag`).
        Pixels that are HOT or NONLINEAR count, and hand on their flag; ``exclude="BAD"`` leaves
        the hot ones out. Science stacks may keep saturated cores with ``exclude="FAULT"``.
    weights
        How much each value counts in a mean. 0 leaves it out, as a flag does; rejection looks at no
        others. ``"exposure"``: by the exposure of its frame. ``"variance"``: by one over the
        variance of its frame and channel, the median over some 65 000 pixels on a regular grid of
        what is the frame's own (weights of each pixel's own noisy variance would pull the mean
        down); lazy frames are read once more for it. ``"noise"``: the same, and of frames without a
        variance by the square of the noise that neighbours show. Both are of the frames as they are
        scaled. Or numbers, not negative, over (frame), (frame, channel) or (frame, channel, y, x).
        None: all the same.
    scale, sky
        How frames are brought to one level first: a value x of a frame becomes

        .. math:: y = a\,(x - s)

        with the scale a and the sky s of its frame (and channel). None: a = 1, s = 0. Numbers, over
        (frame) or (frame, channel), or the name of a coordinate or header keyword that has them:
        as they are, so that a scale multiplies and a sky is taken off. What is measured keeps the
        mean level of all frames: for levels q and Q their mean,

        * scale "median", "mode" (3 median - 2 mean within 3 sigma) or "mean" of the good pixels, or
          "exposure": :math:`a = Q/q`. Levels are positive.
        * sky "median", "mode" or "mean", with t = a q and T the mean of t:
          :math:`s = (t - T)/a`, so that y = a x - t + T.
        * "fit": of a scale, q is the slope of a robust line through the pixels of a frame against
          those of the first (through zero where no sky is matched); of a sky, t is the median of
          what scaled pixels are above those of the first.

        :class:`~autowisp_xr.Match` has a region of its own, and a reference frame, whose level then
        counts in place of the mean. A pair is (where outliers are found, where values are
        averaged), as ``sky=("median", None)``: a sky that changes neither hides nor makes
        outliers, and the average is of the frames as they are (two averages, and 1.4 of the time).
        Some 65 000 pixels on a regular grid are looked at; lazy frames are read once more for them,
        when the stack is computed. Bits of ``exclude`` leave pixels out of that, too. Scale and sky
        are taken as free of noise.
    min_frames
        Fewer frames are an error.
    min_values
        A pixel with fewer values left is flagged FAULT.
    error
        ``"propagate"``: from the variances of the frames. ``"scatter"``: from the scatter of the
        values averaged. ``"auto"``: propagate where the frames have a variance that is known.
        ``"standard_error"``: from the scatter as if every average were a mean, which is the
        definition of AutoWISP (too small for a median, by up to a factor of sqrt(pi / 2)).
    average_keywords
        Numeric header keywords whose values are averaged over the frames in the same way, but
        without weights, and whatever their noise.
    allow_mismatch
        Traits in which the frames may differ that otherwise have to agree: "filter",
        "gain_setting", "exposure" (which may differ anyway where all values count, in a mean
        without rejection), ...
    rejected
        Whether ``rejected_low`` and ``rejected_high`` come out, too: how many values of each pixel
        were rejected below and above the others (uint16).
    dtype
        Type of ``image`` and ``variance``; all sums are float64.
    memory_limit
        How much memory may be taken at a time, as "2GB" or in bytes; see
        :data:`~autowisp_xr.bridge.memory_limit.MemoryLimit`.

    Returns
    -------
    Master (channel, y, x) in the unit of ``ds``: ``image``, ``variance``, ``mask``, ``count``
    (uint16; of stacks the sum of theirs), and what the variance shares with other frames and owes
    to photons. Lazy where ``ds`` is: bands of rows of all frames, never the whole cube. Where
    nothing is left, NaN, FAULT and the flags of all inputs; else the flags of the values averaged,
    and SATURATED where any value was (OVERSATURATED or LEAKED, as it bore): where the brightest are
    left out, what is left is too low. A value without an error (one survivor has no scatter) is
    flagged FAULT. Coordinates and header cards that all frames share stay; times, exposures and
    temperatures are averaged with the weights of the frames (not known where weights are still to
    be computed); ``time_start``, ``time_end``, ``total_exposure`` and ``combined``, the number of
    raw frames, are what went into it; ``effective_frames`` is how many equal frames would have a
    mean with its photon noise (1 for a sum). What frames were scaled by stands in ``frame_scale``
    and ``frame_sky``, (stacked, channel), beside their names ``stacked``, and in the history where
    it is in memory.

    Raises
    ------
    ImageMismatchError
        For fewer frames than ``min_frames``, or than the rejection needs; for frames that differ in
        type, filter, exposure, gain setting, ...; for frames of several masters that were joined
        by ``xr.concat`` in place of :func:`concat`; where a variance or an exposure is asked for
        that the frames do not have; for frames whose level cannot be measured (of lazy ones when
        they are computed).
    HeaderError, OutsideImageError
        For a file without the keyword of a scale or sky, and a region outside of the frames.
    ValueError
        For options that there are not, weights of anything but a mean, and scales that are not
        positive, or not one for each frame.

    Warns
    -----
    AutowispWarning
        When no value among so few frames can lie beyond the threshold of ``reject``; when there is
        one frame, whose error would be its scatter, so that every pixel is flagged; when exposures
        show that noise is not equal, and nothing shows a median from the scatter by how much; when
        frames share noise that is not known any more, as the masters of frames from FITS were not
        found; when they share a part of their masters, whose noise then counts as shared wholly.

    Notes
    -----
    With n survivors x of equal variance v, and r(n) the variance of the median of n normal values
    over that of their mean (from 1 of two to pi / 2 in the limit):

    ============ ===================== ==========================================
    average      propagate             scatter
    ============ ===================== ==========================================
    mean         :math:`v / n`         :math:`\sum (x-\bar x)^2 / (n (n-1))`
    median       :math:`r\, v / n`     :math:`\sum (x-m)^2\, r / (n (n - 2 + r))`
    ============ ===================== ==========================================

    A mean of unequal variances has :math:`\sum v / n^2`; the scatter of the table is right for it,
    too. A median or another quantile of noise that differs by more than some tenth (a propagated
    median: three tenths, for what differs by less changes it by 1 % at most) has, of each pixel,
    the variance of an order statistic of unequal normal values; from the scatter, by the ratios of
    the variances that the frames have, whatever their scale. Of noise that differs by factors of up
    to 5 (20) that is within 2 % (3 %) of the truth up to 12 frames, and within 4 % (10 %) of more.
    Where frames have no variance, nothing shows how their noise differs, and the scatter of a
    median makes 1.0 to 1.4 of the true variance for noise that differs by up to 2, to 2.2 by up to
    3, to 5.2 by up to 5: the most where a median leaves out few noisy frames.

    ``error="standard_error"`` takes the scatter of the first row for every average. With weights w
    and p = w / sum(w) over the survivors, a mean is :math:`\sum p x` and has

    .. math:: V = \sum p^2 v \quad\text{or}\quad \sum \frac{p^2 (x - \bar x)^2}{1 - p},

    the second unbiased where the noise variance goes as 1 / w, and for equal weights (HC2 of J. G.
    MacKinnon and H. White, *J. Econometrics* 29 (1985) 305; simulated, within 1 %); NaN where one
    value has all the weight.

    After :class:`~autowisp_xr.MinMax` the average is one of sorted normal values whose ends were
    dropped, and both columns take their moments: within 1 % where all frames have one noise and one
    weight. Weights from 1 to 10 of ten frames of one noise make 1.06 of the true variance from the
    scatter, 1.09 propagated; without rejection 0.98 from the scatter, 0.95 of five frames, and what
    is propagated is within 1 %. Of unequal noise see the second table below.

    Scaled frames have the variance :math:`a^2 v`, and a sum N^2 times that of its mean. Of what
    they share, each has a times its amplitude; of what they share relative to their light, as the
    noise of a flat, y + a s times the relative one, as before the sky was taken off. It then
    stands with the rest in ``shared_variance``, since it is no share of the image any more.
    Photons are those of a times the light of the average. (Simulated: pulls of mean, weighted mean,
    sum and median of frames whose transparency differs by 2 and sky by 10, with and without masters
    of few frames, have widths of 0.99 to 1.01.)

    A quantile is treated like the median, with the variance of its order statistic. Variance that
    the frames share does not average down: ``shared_variance`` and
    ``shared_relative_variance`` times the square of the image are taken off each v and added
    to the result: of frames that were corrected by the same masters, as ``shared_variance_from``
    and ``shared_relative_variance_from`` name them, the square of the sum of its amplitudes, and
    the sum of that over groups with other masters. One survivor has no scatter: NaN, and
    FAULT.

    Digitised values err by their rounding, too, which is not for each value itself: the median of
    whole numbers is one of them, or half of one, and has the twelfth of a squared step of one value
    however many frames there are; below half a step of noise, all values of a pixel round alike.
    The step, and the noise in units of it, are read off the differences of frames, and
    both columns get what they lack (:mod:`autowisp_xr.stats.rounding`): with s the noise without
    the twelfth of digitisation, and k steps between the two values in the middle of an even number,

    .. math:: \frac{1}{12} - \frac{r}{12 n} \text{ (odd n)}, \quad \frac{1}{24} + \frac{1}{2}
       E[c(k)] - \frac{r}{12 n} \text{ (even n)}, \quad \left(1 - \frac{1}{n}\right) \sum_j
       \frac{e^{-4 \pi^2 j^2 s^2}}{2 \pi^2 j^2} \text{ (mean)}

    squared steps for what is propagated, averaged over where within a step the truth is. What other
    frames of the same pixel share of it goes into ``shared_variance``, where there is one. Frames
    that were divided by a flat or scaled one by one have no step in common, those less a level each
    of their own (of the overscan, of the sky) no rounding, and nothing is added.

    Rejection takes good values too, most of all from few frames on the scale of their own MAD;
    what is left scatters less. Mean of the reported variance over the true one (error 0.003), where
    "winsor" is :class:`~autowisp_xr.WinsorizedSigmaClip`, "line" is
    :class:`~autowisp_xr.LinearFitClip`, "esd" is :class:`~autowisp_xr.GeneralizedESD`, whose
    threshold is the significance, "noise" is :class:`~autowisp_xr.NoiseClip`, and "share" is
    :class:`~autowisp_xr.Percentile` of so many times the noise as a share of the median:

    ====== ====== ========= ======= ====== ======= ======
                            scatter        propagate
    ----------------------- -------------- --------------
    scale  frames threshold mean    median mean    median
    ====== ====== ========= ======= ====== ======= ======
    rms    10     2         0.66    0.60   0.86    0.90
    rms    10     2.5       0.96    0.94   0.98    0.99
    rms    10     from 3    1.00    1.00   1.00    1.00
    mad    3      3         1.00    0.59   1.00    0.98
    mad    3      5         1.00    0.73   1.00    1.00
    mad    5      3         0.92    0.69   1.00    1.02
    mad    5      5         0.99    0.86   1.00    1.01
    mad    10     2         0.62    0.48   0.93    0.99
    mad    10     3         0.89    0.79   0.97    0.99
    mad    10     4         0.97    0.92   0.99    1.00
    mad    10     5         0.99    0.97   1.00    1.00
    rms    30     2         0.45    0.45   0.72    0.77
    rms    30     3         0.98    0.98   0.99    0.99
    rms    30     from 4    1.00    1.00   1.00    1.00
    mad    30     2         0.53    0.49   0.81    0.84
    mad    30     3         0.90    0.89   0.96    0.97
    mad    30     4         0.99    0.98   1.00    1.00
    mad    30     5         1.00    1.00   1.00    1.00
    winsor 3      3         0.95    0.97   0.99    1.00
    winsor 3      5         0.97    0.98   0.99    1.00
    winsor 5      3         0.83    0.89   0.93    0.99
    winsor 5      5         0.95    0.97   0.98    1.00
    winsor 10     3         0.87    0.91   0.94    0.99
    winsor 10     4         0.96    0.98   0.98    1.00
    winsor 10     5         0.99    0.99   1.00    1.00
    winsor 30     3         0.92    0.94   0.96    0.98
    winsor 30     4         0.99    0.99   1.00    1.00
    winsor 30     5         1.00    1.00   1.00    1.00
    winsor 100    3         0.94    0.95   0.96    0.98
    winsor 100    from 4    0.99    1.00   1.00    1.00
    line   10     3         0.62    0.70   0.84    0.94
    line   10     5         0.87    0.91   0.95    0.99
    line   10     from 8    1.00    1.00   1.00    1.00
    line   30     3         0.42    0.52   0.69    0.85
    line   30     5         0.69    0.76   0.84    0.93
    line   30     8         0.92    0.94   0.96    0.99
    line   30     12        0.99    1.00   1.00    1.00
    line   100    5         0.48    0.57   0.70    0.84
    line   100    8         0.80    0.85   0.89    0.95
    line   100    12        0.95    0.97   0.97    0.99
    esd    3      0.05      0.91    0.94   0.98    1.01
    esd    3      0.01      0.98    0.99   1.00    1.00
    esd    5      0.05      0.91    0.94   0.97    0.99
    esd    5      0.01      0.98    0.99   0.99    1.00
    esd    10     0.05      0.86    0.91   0.93    0.99
    esd    10     0.01      0.97    0.98   0.99    1.00
    esd    30     0.05      0.96    0.97   0.98    0.99
    esd    30     0.01      0.99    0.99   1.00    1.00
    esd    100    0.05      0.98    0.99   0.99    1.00
    esd    100    0.01      0.99    1.00   0.99    1.00
    esd    any    0.001     1.00    1.00   1.00    1.00
    noise  3      2         0.77    0.57   0.91    0.90
    noise  3      3         0.99    0.91   1.00    0.98
    noise  3      4         1.00    0.99   1.00    1.00
    noise  10     2         0.66    0.61   0.85    0.85
    noise  10     3         0.96    0.94   0.98    0.98
    noise  30     2         0.64    0.64   0.83    0.84
    noise  30     3         0.96    0.95   0.98    0.98
    noise  more   from 4    1.00    1.00   1.00    1.00
    share  3      3         0.87    0.91   0.94    0.98
    share  3      4         0.99    0.99   1.00    1.00
    share  6      3         0.93    0.94   0.96    0.98
    share  6      from 4    1.00    1.00   1.00    1.00
    ====== ====== ========= ======= ====== ======= ======

    The same for frames of noise 1, 2 and 3 in turn, where "best" is the mean whose weights go as
    one over the square of the noise, and "minmax" drops one value at either end:

    ====== ====== ========= ===== ===== ====== ===== ===== ======
                            scatter            propagate
    ----------------------- ------------------ ------------------
    scale  frames threshold mean  best  median mean  best  median
    ====== ====== ========= ===== ===== ====== ===== ===== ======
    mad    3      5         1.00  1.00  0.73   1.00  1.00  1.06
    mad    5      5         0.98  0.98  0.80   1.00  1.00  1.01
    mad    10     5         0.95  0.99  0.88   1.00  1.00  0.99
    mad    30     5         0.96  0.99  0.95   0.99  1.00  0.99
    winsor 3      5         0.98  0.96  0.98   1.01  0.99  1.01
    winsor 5      5         0.96  0.96  0.94   1.02  0.99  0.99
    winsor 10     5         0.98  0.99  0.96   1.02  0.99  1.00
    winsor 30     5         0.99  1.00  0.98   1.01  1.00  1.00
    line   10     5         0.86  0.94  0.80   1.05  0.98  0.97
    line   30     5         0.67  0.87  0.62   1.01  0.94  0.93
    line   100    5         0.49  0.75  0.43   0.99  0.86  0.86
    esd    3      0.05      0.95  0.89  0.94   1.02  0.97  1.02
    esd    5      0.05      0.93  0.94  0.88   1.04  0.98  0.98
    esd    10     0.05      0.85  0.91  0.76   1.07  0.96  0.97
    esd    30     0.05      0.88  0.96  0.85   1.01  0.98  0.98
    esd    100    0.05      0.93  0.98  0.93   1.00  0.99  0.99
    noise  3      5         0.97  0.91  0.99   0.98  0.94  1.00
    noise  more   5         1.00  1.00  1.00   1.00  1.00  1.00
    minmax 3      1         none  none  none   1.00  1.00  1.00
    minmax 5      1         1.02  1.04  1.16   1.11  0.79  1.00
    minmax 10     1         0.98  1.24  1.35   1.09  0.84  1.00
    minmax 30     1         0.96  1.19  1.51   1.04  0.96  1.00
    ====== ====== ========= ===== ===== ====== ===== ===== ======

    The photons of a frame, max(I, 0), are counted on its own noisy pixels: too many where there is
    next to no light. Where frames state what of their variance is photon noise
    (``photon_slope``, ``photon_zero``), those of the average m are counted in place of those of
    each x: of any average of any noise, and by NoiseClip. Below no light they are less than none,
    and at less than 150 electrons, of all frames and with the square of the read noise, so much is
    added that pulls have a width of 1 (:mod:`autowisp_xr.kernels.photons`); on average the
    variance is then larger than the true one, by 3 over these electrons. Widths of pulls (error
    0.002) by read noise and light in electrons; with more of either, or of frames, 0.99 to 1.01:

    ======= ========== ====== ===== ===== ===== =====
    average read noise frames 0 e   1 e   5 e   50 e
    ======= ========== ====== ===== ===== ===== =====
    mean    0.7        3      0.85  1.07  1.04  1.01
    mean    0.7        5      0.91  1.04  1.02  1.00
    mean    0.7        10     0.98  1.01  1.01  1.00
    mean    1.2        3      0.98  1.01  1.01  1.01
    mean    1.2        from 5 0.99  1.00  1.00  1.00
    mean    3.0        3      0.99  0.99  1.00  1.01
    median  0.7        3      0.82  1.11  1.08  1.01
    median  0.7        5      0.87  1.11  1.06  1.01
    median  0.7        10     0.95  1.08  1.03  1.01
    median  0.7        30     0.99  1.07  1.03  1.00
    median  1.2        3      0.95  1.02  1.03  1.01
    median  1.2        5      0.98  1.02  1.02  1.01
    median  1.2        10     0.99  1.01  1.02  1.01
    median  1.2        30     0.99  1.01  1.02  1.00
    median  3.0        3      0.99  0.99  1.00  1.01
    ======= ========== ====== ===== ===== ===== =====

    A dark has that addition as well, and so what it is subtracted from: without light, and with a
    read noise of 1.2 electrons, means of 20 frames less a dark of 3, 5, 10 or 20 have widths of
    0.96, 0.97, 0.98 and 0.98; with 3 electrons, 0.99 to 1.01.

    Without read noise, the median of 10 frames propagates 0.92 of the true variance at 5 electrons,
    0.96 at 10, 0.98 at 20, 0.99 at 50. Frames from files of pixels alone count the photons of each
    x, and ``photons`` in the history records it; so do pixels whose image does not fit their
    variance any more (a sky was subtracted from the image alone). The widths of single frames stand
    in the documentation of :func:`~autowisp_xr.add_noise`.
    ``python -m tests.stack.variance_table`` prints these numbers.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> deep = lights.autowisp.stack("median", reject=aw.SigmaClip(4, scale="mad"))
    """
    options = StackOptions(
        average=average,
        reject=reject,
        exclude=exclude,
        weights=weights,
        scale=scale,
        sky=sky,
        min_frames=min_frames,
        min_values=min_values,
        error=error,
        average_keywords=average_keywords,
        allow_mismatch=allow_mismatch,
        rejected=rejected,
        dtype=dtype,
    )
    schema.check(ds)
    check_alike(ds, "one stack", allow_mismatch, leave_out=options.needless(schema.is_raw(ds)))
    with limited(memory_limit):
        return stacked(ds, options)

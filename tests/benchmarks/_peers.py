"""Jobs of other packages, run in an environment of theirs: ``python -P _peers.py JOB REQUEST``.

This file runs where neither this project nor the other peers need be installed: it imports NumPy,
and in each job what that job is of. With ``--serve`` in place of a request, it reads requests from
its input, one JSON object a line, and answers each with the seconds that it took.
"""

import functools
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

__all__ = ["JOBS", "loaded", "serve"]

JOBS = {}


def job(function):
    JOBS[function.__name__] = function
    return function


@functools.lru_cache(maxsize=1)
def loaded(path, rows=None, parts=None):
    """An array in memory, or the first rows of each frame of it; or that in bands of rows."""
    array = np.load(path, mmap_mode="r")[:, :rows]
    if parts is None:
        return np.ascontiguousarray(array)
    return [np.ascontiguousarray(band) for band in np.array_split(array, parts, axis=1)]


def serve(jobs):
    """Do one request, or all that come."""
    # what a peer prints is no answer
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    work = jobs[sys.argv[1]]
    if sys.argv[2] != "--serve":
        described = _done(work, json.loads(sys.argv[2]))["described"]
        print(f"described: {described}", file=answers, flush=True)
        return
    for line in sys.stdin:
        print(json.dumps(_done(work, json.loads(line))), file=answers, flush=True)


def _done(work, request):
    save = request.pop("save", None)
    if "array" in request:
        cut = request.pop("rows", None), request.pop("parts", None)
        request["array"] = loaded(request["array"], *cut)
    start = time.perf_counter()
    result = work(**request)
    seconds = time.perf_counter() - start
    if save is not None:
        np.save(save, np.asarray(result, np.float64))
    return {"seconds": seconds, "described": result if isinstance(result, str) else ""}


# -- arrays in memory: (frame, y, x) to the average of each pixel, what is beyond 5 sigma rejected


@job
def array_original(array, average):
    from autowisp.iterative_rejection_util import iterative_rejection_average

    # it marks what it rejects by NaN
    array = array.astype(np.float32, copy=False)
    function = {"median": np.nanmedian, "mean": np.nanmean}[average]
    return iterative_rejection_average(array, 5.0, average_func=function)[0]


@job
def array_ccdproc(array, average):
    from astropy.nddata import CCDData
    from ccdproc import Combiner

    combiner = Combiner([CCDData(frame, unit="adu") for frame in array])
    combiner.sigma_clipping(low_thresh=5, high_thresh=5, func=average, dev_func="std")
    combine = {"median": combiner.median_combine, "mean": combiner.average_combine}[average]
    return combine().data


@job
def array_astropop(array, average):
    from astropop.framedata import FrameData
    from astropop.image import imcombine

    frames = [FrameData(frame, unit="adu") for frame in array]
    how = {"sigma_clip": (5, 5), "sigma_cen_func": average, "memory_limit": 4e9}
    return imcombine(frames, method=average, **how).data


@job
def array_astropy(array, average):
    from astropy.stats import sigma_clip

    array = array.astype(np.float32, copy=False)
    kept = sigma_clip(array, sigma=5, cenfunc=average, axis=0, masked=False, maxiters=None)
    return {"median": np.nanmedian, "mean": np.nanmean}[average](kept, axis=0)


@job
def array_bottleneck(array, average):
    import bottleneck

    # integers would go to a slow road of its
    array = array.astype(np.float32, copy=False)
    return {"median": bottleneck.nanmedian, "mean": bottleneck.nanmean}[average](array, axis=0)


# -- files to the master of them


@job
def stack_original(files, out):
    from autowisp.image_calibration import MasterMaker

    make = MasterMaker(outlier_threshold=5.0, min_valid_frames=2, min_valid_values=1)
    done, left_out = make(files, out, allow_overwrite=True)
    assert done, left_out
    return ""


@job
def stack_ccdproc(files, out):
    from ccdproc import combine

    clip = {"sigma_clip": True, "sigma_clip_low_thresh": 5, "sigma_clip_high_thresh": 5}
    how = {**clip, "sigma_clip_func": "median", "sigma_clip_dev_func": "std", "unit": "adu"}
    combine(files, out, method="median", mem_limit=8e9, **how)
    return ""


@job
def stack_astropop(files, out):
    from astropop.image import imcombine

    how = {"sigma_clip": (5, 5), "sigma_cen_func": "median", "memory_limit": 8e9}
    imcombine(files, method="median", **how).write(out)
    return ""


@job
def stack_astropy(files, out):
    from astropy.io import fits

    cube = np.array([fits.getdata(file) for file in files], np.float32)
    fits.writeto(out, array_astropy(cube, "median"))
    return ""


@job
def stack_bottleneck(files, out):
    from astropy.io import fits

    cube = np.array([fits.getdata(file) for file in files], np.float32)
    fits.writeto(out, array_bottleneck(cube, "median"))
    return ""


# -- files to pixels in memory, one frame after the other


@job
def read_astropy(files, threads):
    from astropy.io import fits

    return _read(fits.getdata, files, threads)


@job
def read_fitsio(files, threads):
    import fitsio

    return _read(fitsio.read, files, threads)


def _read(read, files, threads):
    def native(file):
        data = np.asarray(read(file))
        data = data.astype(data.dtype.newbyteorder("="), copy=False)
        # a memory map is not read until it is looked at
        return int(data[::64, ::64].sum(dtype=np.int64))

    if threads == 1:
        return f"sum {sum(map(native, files))}"
    with ThreadPoolExecutor(threads) as pool:
        return f"sum {sum(pool.map(native, files))}"


# -- raw frames and masters to calibrated frames


@job
def calibrate_original(files, masters, out, gain, read_noise):
    from autowisp.image_calibration import Calibrator

    calibrate = Calibrator(
        saturation_threshold=60000.0,
        raw_hdu=0,
        gain=gain,
        read_noise_electrons=read_noise,
        split_channels={"L": (slice(None), slice(None))},
        compress_calibrated=None,
        exposure_start_utc="DATE_OBS",
        exposure_seconds="EXPTIME",
        fnum="int(1e6 * (JD_OBS - 2.4e6))",
        project_home=".",
    )
    calibrate.set_masters(**{kind: {"L": file} for kind, file in masters.items()})
    for file in files:
        calibrate(raw=file, calibrated_fname=os.path.join(out, "{RAWFNAME}.fits"))
    return ""


@job
def calibrate_ccdproc(files, masters, out, gain, read_noise):
    import ccdproc
    from astropy import units
    from astropy.io import fits
    from astropy.nddata import CCDData, StdDevUncertainty

    def master(kind, unit):
        with fits.open(masters[kind]) as hdus:
            error = StdDevUncertainty(hdus[1].data)
            return CCDData(hdus[0].data, uncertainty=error, unit=unit, header=hdus[0].header)

    bias, dark = master("bias", "adu"), master("dark", "adu")
    flat = master("flat", "")
    exposure = {"exposure_time": "EXPTIME", "exposure_unit": units.second}
    noise = {"gain": gain * units.electron / units.adu, "readnoise": read_noise * units.electron}
    for file in files:
        frame = ccdproc.subtract_bias(CCDData.read(file, unit="adu"), bias)
        frame = ccdproc.create_deviation(frame, **noise, disregard_nan=True)
        frame = ccdproc.subtract_dark(frame, dark, **exposure)
        frame = ccdproc.flat_correct(frame, flat, norm_value=1.0)
        frame.mask = np.zeros(frame.shape, bool)
        frame.write(os.path.join(out, os.path.basename(file)))
    return ""


@job
def reduce_ccdproc(bias, dark, flat, light, out):
    import ccdproc
    from astropy import units
    from astropy.nddata import CCDData

    def combined(frames, name, **how):
        clip = {"sigma_clip": True, "sigma_clip_low_thresh": 3, "sigma_clip_high_thresh": 3}
        made = ccdproc.combine(frames, dtype=np.float32, unit="adu", **clip, **how)
        made.write(os.path.join(out, name))
        return made

    exposure = {"exposure_time": "EXPTIME", "exposure_unit": units.second, "scale": True}
    master_bias = combined(bias, "bias.fits")

    def less_bias(file):
        return ccdproc.subtract_bias(CCDData.read(file, unit="adu"), master_bias)

    master_dark = combined([less_bias(file) for file in dark], "dark.fits")
    flats = [ccdproc.subtract_dark(less_bias(file), master_dark, **exposure) for file in flat]
    scale = {"scale": lambda values: 1 / np.median(values)}
    master_flat = combined(flats, "flat.fits", **scale)
    for file in light:
        frame = ccdproc.subtract_dark(less_bias(file), master_dark, **exposure)
        frame = ccdproc.flat_correct(frame, master_flat)
        frame.data = frame.data.astype(np.float32)
        frame.write(os.path.join(out, os.path.basename(file)))
    return ""


@functools.lru_cache(maxsize=1)
def _random_bytes(number):
    return np.random.default_rng(0).integers(0, 256, number, np.uint8)


@job
def write_same_bytes(files, out, sync, planes=9):
    """Nine bytes for each two that are read, a file for each frame; the floor of calibrating."""
    buffer = _random_bytes(planes * (os.path.getsize(files[0]) // 2))
    for number in range(len(files)):
        with open(os.path.join(out, f"{number}.bin"), "wb") as file:
            buffer.tofile(file)
            if sync:
                os.fsync(file.fileno())
    return ""


@job
def read_bytes(files):
    """All bytes of the files, into the same memory; the floor of reading."""
    buffer = bytearray(max(map(os.path.getsize, files)))
    total = 0
    for file in files:
        with open(file, "rb", buffering=0) as stream:
            total += stream.readinto(buffer)
    return f"{total / 1e6:.0f} MB"


if __name__ == "__main__":
    serve(JOBS)

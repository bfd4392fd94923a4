"""Jobs of this package; see ``_peers.py`` for how they run."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

__all__ = ["JOBS"]

JOBS = {}


def job(function):
    JOBS[function.__name__] = function
    return function


@job
def make(what, **request):
    """Files for the others, by a function of ``_frames``."""
    from tests.benchmarks import _frames

    return json.dumps(getattr(_frames, what)(**request))


def frame_set(array):
    """Frames of an array (frame, y, x) in memory."""
    import numpy as np
    import xarray as xr

    from autowisp_xr import schema

    dims = dict(zip(schema.DIMS, (len(array), 1, *array.shape[1:]), strict=True))
    coords = {name: np.arange(size) for name, size in dims.items() if name in "yx"}
    names = np.array([f"f{i}" for i in range(len(array))], np.dtypes.StringDType())
    coords |= {"frame": names, "channel": np.array(["mono"], np.dtypes.StringDType())}
    ds = xr.Dataset({"image": (schema.DIMS, array[:, None])}, coords)
    return schema.with_attributes(ds, "adu")


@job
def array_kernel(array, average, threads):
    """Average, variance, mask and number of each pixel; ``array`` is in bands of rows."""
    import numpy as np

    from autowisp_xr import SigmaClip
    from autowisp_xr.kernels.clip import MEAN
    from autowisp_xr.stack.engine import FramePlanes, Rules, average_through_frames

    quantile = {"median": 0.5, "mean": MEAN}[average]
    rules = Rules(quantile=quantile, reject=SigmaClip(5.0))

    def part(band):
        return average_through_frames(FramePlanes(band), rules).image

    return np.concatenate(_in_threads(part, array, threads))


@job
def array_stack(array, average):
    """The same of a frame set in memory."""
    import autowisp_xr as aw

    deep = aw.stack(frame_set(array), average, reject=aw.SigmaClip(5.0))
    return deep["image"].values[0]


@job
def array_function(array, average):
    """Average, error and number by the function that stands for the one of the original."""
    import autowisp_xr as aw

    return aw.iterative_rejection_average(array, 5.0, average_func=average)[0]


def _in_threads(work, parts, threads):
    if threads == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


@job
def stack_files(files, out):
    import autowisp_xr as aw

    deep = aw.open_fits(files).autowisp.stack("median", reject=aw.SigmaClip(5.0))
    deep.autowisp.to_fits(out, overwrite=True)
    return f"{os.path.getsize(out) / 1e6:.0f} MB out"


@job
def memory_of(verb, files, store, out):
    """Frames from files or a store that are worked on as a whole, in a process of its own."""
    import autowisp_xr as aw

    camera = aw.Camera(gain=1.5, read_noise=8.0, saturation=6e4)
    reject = aw.SigmaClip(5.0)
    if verb == "calibrate, stack":
        aw.calibrate(aw.open_fits(files, camera=camera)).autowisp.stack(reject=reject).load()
    elif verb == "calibrate, to_fits":
        aw.to_fits(aw.calibrate(aw.open_fits(files, camera=camera)), out + "/{frame}.fits")
    elif verb == "calibrate, to_zarr":
        aw.to_zarr(aw.calibrate(aw.open_fits(files, camera=camera)), store)
    elif verb == "stack from Zarr":
        aw.open_zarr(store).autowisp.stack(reject=reject).load()
    else:
        aw.to_fits(aw.open_zarr(store), out + "/{frame}.fits")
    return f"{len(files)} frames"


@job
def cut_out(files, master, out, top, bottom):
    """Whether a part of the frames, stacked in memory, has the same bits as the master.

    Errors of a median have to be the same to a per cent: how values are rounded is measured in the
    middle of what is stacked.
    """
    import numpy as np
    from astropy.io import fits

    import autowisp_xr as aw

    part = aw.open_fits(files).isel(y=slice(top, bottom)).load()
    deep = part.autowisp.stack("median", reject=aw.SigmaClip(5.0))
    deep.autowisp.to_fits(out, overwrite=True)
    with fits.open(master) as whole, fits.open(out) as alone:
        for one, other in zip(whole, alone, strict=True):
            cut = one.data[top:bottom]
            same = cut.tobytes() == other.data.tobytes()
            if not same and one.name == "ERROR":
                same = np.allclose(cut, other.data, rtol=0.01, equal_nan=True)
            if not same:
                raise SystemExit(f"{one.name} of rows {top} to {bottom} has other bits")
        return f"same bits in {len(whole)} planes"


@job
def read(files, threads, how):
    """Sum of each 64th row and column, as the peers form it: pixels are in memory then."""
    import numpy as np

    import autowisp_xr as aw

    image = aw.open_fits(files)["image"]
    if how == "bands":
        step = max(64, image.sizes["y"] // 8 // 64 * 64)
        parts = [{"y": slice(y, y + step)} for y in range(0, image.sizes["y"], step)]
    else:
        parts = [{"frame": slice(i, i + 1)} for i in range(len(files))]

    def total_of(part):
        return int(image.isel(part).values[:, 0, ::64, ::64].sum(dtype=np.int64))

    return f"sum {sum(_in_threads(total_of, parts, threads))}"


@job
def calibrate_files(files, masters, out, gain, read_noise):
    import autowisp_xr as aw

    camera = aw.Camera(gain=gain, read_noise=read_noise, saturation=60000)
    planes = {kind: aw.open_fits(file).isel(frame=0) for kind, file in masters.items()}
    done = aw.open_fits(files, camera=camera).autowisp.calibrate(**planes)
    done.autowisp.to_fits(os.path.join(out, "{RAWFNAME}.fits"))
    sizes = [os.path.getsize(os.path.join(out, name)) for name in os.listdir(out)]
    return f"{len(sizes)} files, {sum(sizes) / 1e9:.2f} GB"

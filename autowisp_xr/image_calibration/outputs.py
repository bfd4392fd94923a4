"""The files that calibrated channels are written to, and the diagnostics of their pixels."""

import os
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import provenance
from autowisp_xr.errors import CalibrationError
from autowisp_xr.frames.atomic_write import check_name
from autowisp_xr.frames.names import fill_template
from autowisp_xr.frames.write import OutputFile, write_products
from autowisp_xr.image_calibration.raw_frame import Channels
from autowisp_xr.stats.quantiles import good_quantiles


def output_names(
    headers: Mapping[str | None, fits.Header], params: Mapping[str, Any]
) -> dict[str | None, str]:
    """Return the name of the file of each channel.

    Raises
    ------
    CalibrationError
        Without a template, or if two channels would have one name.
    HeaderError
        If the template asks for a keyword that the header does not have.
    """
    template, home = params["calibrated_fname"], params["project_home"]
    if template is None:
        raise CalibrationError(
            "the calibrated frame needs a name: give calibrated='name.fits', or the template "
            "calibrated_fname='{RAWFNAME}_{CLRCHNL}.fits'"
        )
    # the home of the project may have directories in it
    homes = {} if home is None else {"PROJHOME": str(home)}
    names = {
        channel: fill_template(template, header, directories=homes)
        for channel, header in headers.items()
    }
    if len(set(map(os.path.realpath, names.values()))) < len(names):
        raise CalibrationError(
            f"the channels {list(names)} would all be {next(iter(names.values()))!r}; put "
            "{CLRCHNL} into the name"
        )
    return names


def check_two_outputs(
    names: Mapping[str, str], *, overwrite: bool, inputs: Collection[str]
) -> None:
    """Raise, before anything is read, for a high and a low master that cannot both be written."""
    if len(set(map(os.path.realpath, names.values()))) < len(names):
        raise ValueError(f"the high and the low master would both be {names['high']!r}")
    for name in names.values():
        if "{" not in name:
            check_output(name, overwrite=overwrite, inputs=inputs)


def check_output(name: str, *, overwrite: bool, inputs: Collection[str]) -> None:
    """Raise FileExistsError and the like if no file of this name may be written."""
    name = os.path.expanduser(name)
    check_name(name, set(map(os.path.realpath, inputs)))
    if os.path.lexists(name) and not overwrite:
        raise FileExistsError(
            f"{name!r} exists already; choose another name, or allow_overwrite=True"
        )


def write_channels(
    ds: xr.Dataset,
    headers: Mapping[str | None, fits.Header],
    names: Mapping[str | None, str],
    params: Mapping[str, Any],
) -> None:
    """Write each channel of a calibrated frame to its file, all or none."""
    planes = {name: ds[name].values[0, 0] for name in ("image", "variance", "mask")}
    channels: Channels = params["channels"]
    write_products(
        [
            OutputFile(names[name], headers[name], {n: plane[cut] for n, plane in planes.items()})
            for name, cut in channels.items()
        ],
        provenance.history(provenance.with_hashes(ds)),
        overwrite=params["allow_overwrite"],
        compress=params["compress_calibrated"],
    )


def diagnostics(
    ds: xr.Dataset, channels: Channels, quantiles: float | Sequence[float]
) -> dict[str | None, list[tuple[str, float]]]:
    """Return quantiles of the pixels without any flag, by channel; none where all are flagged."""
    image, mask = (ds[name].values[0, 0] for name in ("image", "mask"))
    chosen: list[float] = np.atleast_1d(quantiles).tolist()
    labels = [f"pixel_q{_decimals(quantile)}" for quantile in chosen]
    found = {name: good_quantiles(image[cut], mask[cut], chosen) for name, cut in channels.items()}
    return {
        name: list(zip(labels, values.tolist(), strict=True))
        for name, values in found.items()
        if values is not None
    }


def _decimals(quantile: float) -> str:
    """Return the digits after the point: "999" of 0.999, "00001" of 1e-5; "1_0" of 1."""
    return f"{Decimal(repr(float(quantile))):f}".removeprefix("0.").replace(".", "_")

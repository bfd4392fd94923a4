"""Where calibrated channels go, and what is said about them."""

import os
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import provenance
from autowisp_xr.errors import CalibrationError
from autowisp_xr.frames.names import fill_template
from autowisp_xr.frames.outputs import check_name
from autowisp_xr.frames.write import Product, write_products
from autowisp_xr.image_calibration.channels import Channels

__all__ = ["check_output", "diagnostics", "output_name", "output_names", "write_channels"]


def output_name(
    template: str | os.PathLike[str], header: fits.Header, project_home: Any = None
) -> str:
    """File name of a template filled from a header, in which PROJHOME may be a path."""
    home = {} if project_home is None else {"PROJHOME": str(project_home)}
    return fill_template(template, header, directories=home)


def output_names(
    headers: Mapping[str | None, fits.Header], params: Mapping[str, Any]
) -> dict[str | None, str]:
    """Name of the file of each channel.

    Raises
    ------
    CalibrationError
        Without a template, or if two channels would have one name.
    HeaderError
        If the template asks for a keyword that the header does not have.
    """
    template = params["calibrated_fname"]
    if template is None:
        raise CalibrationError(
            "the calibrated frame needs a name: give calibrated='name.fits', or the template "
            "calibrated_fname='{RAWFNAME}_{CLRCHNL}.fits'"
        )
    names = {
        channel: output_name(template, header, params["project_home"])
        for channel, header in headers.items()
    }
    if len(set(map(os.path.realpath, names.values()))) < len(names):
        raise CalibrationError(
            f"the channels {list(names)} would all be {next(iter(names.values()))!r}; put "
            "{CLRCHNL} into the name"
        )
    return names


def check_output(name: str, *, overwrite: bool, inputs: Collection[str]) -> None:
    """Raise FileExistsError and the like if no file of this name may be written."""
    name = os.path.expanduser(name)
    check_name(name, inputs)
    if os.path.lexists(name) and not overwrite:
        raise FileExistsError(
            f"{name!r} exists already; choose another name, or allow_overwrite=True"
        )


def write_channels(
    ds: xr.Dataset,
    channels: Channels,
    headers: Mapping[str | None, fits.Header],
    names: Mapping[str | None, str],
    params: Mapping[str, Any],
) -> None:
    """Write each channel of a calibrated frame to its file, all or none: image, error, mask."""
    records = provenance.history(provenance.with_hashes(ds))
    image, variance, mask = (ds[name].values[0, 0] for name in ("image", "variance", "mask"))
    products = [
        Product(names[name], headers[name], image[cut], variance[cut], mask[cut], squared=True)
        for name, cut in channels.items()
    ]
    write_products(
        products,
        records,
        overwrite=params["allow_overwrite"],
        compress=params["compress_calibrated"],
    )


def diagnostics(
    ds: xr.Dataset, channels: Channels, quantiles: float | Sequence[float]
) -> dict[str | None, list[tuple[str, float]]]:
    """Quantiles of the pixels without any flag, by channel; none for one without such pixels."""
    found = {}
    chosen: list[float] = np.atleast_1d(quantiles).tolist()
    for name, slices in channels.items():
        image, mask = (ds[plane].values[0, 0][slices] for plane in ("image", "mask"))
        clean = image[mask == 0]
        if clean.size:
            values = np.quantile(clean, chosen).tolist()
            labels = [f"pixel_q{_decimals(q)}" for q in chosen]
            found[name] = list(zip(labels, values, strict=True))
    return found


def _decimals(quantile: float) -> str:
    """Digits after the point: "999" of 0.999, "00001" of 1e-5; "1_0" of 1."""
    return f"{Decimal(repr(float(quantile))):f}".removeprefix("0.").replace(".", "_")

"""How a master differs from the last good one: from that of another night that is like it."""

import warnings
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import measure
from autowisp_xr.errors import AutowispError, AutowispWarning
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import reason_against
from autowisp_xr.night.choosing import Candidate
from autowisp_xr.night.plan import Plan, Product
from autowisp_xr.night.sentences import sentence


def against_last_good(product: Product, made: xr.Dataset, plan: Plan) -> list[str]:
    """Compare a master with the one of another night that is nearest in time; no line without one.

    Parameters
    ----------
    product
        What was planned.
    made
        The master.
    plan
        Has the masters of other nights.
    """
    last = _last(product, plan)
    if last is None or last.open is None or "variance" not in made:
        return []
    try:
        with warnings.catch_warnings():
            # the numbers are reported, whether or not they agree
            warnings.simplefilter("ignore", AutowispWarning)
            found = measure.compare_masters(made, last.open())
    except AutowispError:
        return []
    worst = found.isel(channel=int(np.argmax(found["fraction"].values)))
    numbers = {str(name): float(values) for name, values in worst.data_vars.items()}
    time = last.traits.time
    date = "" if np.isnat(time) else f" of {np.datetime_as_string(time, unit='D')}"
    values: dict[str, Any] = {"name": last.name, "date": date, **numbers}
    values |= {"share": 100 * numbers["fraction"], "flagged": 100 * numbers["newly_flagged"]}
    if KINDS[product.kind].sees_light:
        large = 100 * numbers["largest_large_scale"]
        return [sentence("shape_by_last_good", **values, large=large)]
    return [sentence("level_by_last_good", **values)]


def _last(product: Product, plan: Plan) -> Candidate | None:
    """Return the master of another night that is most like one of this, if there is any."""
    traits = product.frames.traits
    alike = [
        one
        for one in plan.others
        if one.traits.kind == product.kind
        and not reason_against(traits, one.traits, plan.matching, KINDS[product.kind].alike)
    ]
    return min(alike, key=lambda one: _apart(one, traits.time), default=None)


def _apart(one: Candidate, time: np.datetime64) -> float:
    """Return by how much a master is apart in time; infinite where that is not known."""
    apart = abs((one.traits.time - time) / np.timedelta64(1, "s"))
    return float(apart) if np.isfinite(apart) else np.inf

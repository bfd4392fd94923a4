"""The options of a running stack: what of those of a stack it has, and how they are saved."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from autowisp_xr.flags import names_of
from autowisp_xr.matching import allowed
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.stack.match import STATISTICS, Match, Matched
from autowisp_xr.stack.options import StackOptions

_AS_THEY_ARE = ("weights", "min_values", "error", "rejected")


def as_json(options: StackOptions) -> dict[str, Any]:
    """Return the options of a running stack as JSON can hold them."""
    reject = options.reject
    matched = {"scale": options.scales.to_reject, "sky": options.skies.to_reject}
    return {
        **{name: getattr(options, name) for name in _AS_THEY_ARE},
        "reject": asdict(reject) if isinstance(reject, SigmaClip) else None,
        "exclude": names_of(options.excluded),
        "average_keywords": options.keywords,
        "allow_mismatch": sorted(allowed(options.allow_mismatch)),
        "dtype": np.dtype(options.dtype).name,
        **{
            name: match and {"by": match.by, "region": match.region and asdict(match.region)}
            for name, match in matched.items()
        },
    }


def of_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords that :func:`as_json` saved, and others beside them."""
    found = dict(options)
    if found["reject"] is not None:
        threshold = found["reject"]["threshold"]
        both = tuple(threshold) if isinstance(threshold, list) else threshold
        found["reject"] = SigmaClip(**{**found["reject"], "threshold": both})
    for name in ("scale", "sky"):
        found[name] = (Match(**found[name]), None) if found[name] else None
    return found


def check_match(name: str, pair: Matched) -> None:
    """Raise ValueError for what needs all frames, or another average."""
    match = pair.to_reject
    fit = isinstance(match, Match) and match.by in STATISTICS and match.reference is None
    if pair.to_average is not None or not (match is None or fit):
        raise ValueError(
            f"a running stack matches frames to the first one, where outliers are found: {name} "
            f"is ('median', None), or another of {', '.join(STATISTICS)}, or a Match of one of "
            "them; aw.stack has other ways"
        )

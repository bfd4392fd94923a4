"""Why frames are left out for want of a master."""

from collections.abc import Collection

from autowisp_xr.matching import Matching
from autowisp_xr.night.choosing import NOT_MADE, Choices
from autowisp_xr.night.sentences import sentence
from autowisp_xr.pixel_types import FRACTIONS


def stop_reason(kind: str, choices: Choices, matching: Matching) -> str:
    """State why frames of a kind are left out, with these masters; "" if they are not.

    They are where a master that belongs to them could not be made, and science frames where there
    are darks of their pixels, but none that fits.
    """
    for needed, choice in choices.items():
        if choice.chosen is not None:
            continue
        for name, one in choice.refused.items():
            if one.text.startswith(NOT_MADE):
                return f"their master {name} failed"
        near = [one for one in choice.refused.values() if one.near]
        if needed == "dark" and kind == "object" and near:
            scaled = any(one.trait == "pixel_type" and FRACTIONS in one.text for one in near)
            remedy = f"; {sentence('scaled_to_one')}" if scaled else ""
            remedy += _remedy(
                {one.trait for one in near} - {"pixel_type" if scaled else ""}, matching
            )
            return f"no dark fits ({'; '.join(choice.against(needed))}){remedy}"
    return ""


def _remedy(differ: Collection[str], matching: Matching) -> str:
    """Name the options that would let a master pass that differs in one of these traits."""
    remedies = []
    if "exposure" in differ and matching.scale_dark != "any":
        larger = "any" if matching.scale_dark else "down or any"
        remedies.append(f"a dark of another exposure can be scaled: --scale-dark {larger}")
    if "temperature" in differ:
        remedies.append("--temperature-tolerance allows for more")
    others = sorted(set(differ) - {"", "exposure", "temperature"})
    if others:
        remedies.append(f"--allow-mismatch {others[0]} if that does not matter")
    return "".join(f"; {remedy}" for remedy in remedies)

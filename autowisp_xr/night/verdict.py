"""The verdict on a night, in one line and in one number.

A light is a raw frame of the sky, by a card or its name; copies of one exposure count once, and
what may be a light, since nothing states what it is, counts as one that was left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autowisp_xr.kinds import AVERAGED, KINDS
from autowisp_xr.night.sentences import counted

EXIT_STATUS: Mapping[int, str] = {
    0: "all lights were calibrated, or there are none (calibration frames may be left out)",
    1: "something failed, or nothing was made",
    3: "lights were left out, or files of which nothing states that they are none",
}
"""Of ``reduce`` (2 is a wrong call); the first of 1, 3, 0 that is true."""


@dataclass(kw_only=True)
class Tally:
    """The numbers that a verdict is made of."""

    lights: int
    """All that there are."""
    calibrated: Sequence[Sequence[str]]
    """For each calibrated light the masters that are missing."""
    without_errors: int
    """Calibrated lights whose noise is not known."""
    masters: int
    left_out: Mapping[str, int]
    """Files by their type ("" where nothing states it)."""
    failed: Mapping[str, int]
    """The same of those whose set could not be made."""
    doubts: int

    @property
    def exit_status(self) -> int:
        """One of :data:`EXIT_STATUS`."""
        if self.failed or not (self.masters or self.calibrated):
            return 1
        return 3 if self.left_out.get("object") or self.left_out.get("") else 0

    def __str__(self) -> str:
        parts = [self._made(), *_not_made("left out", self.left_out)]
        parts += _not_made("failed", self.failed)
        if self.doubts:
            parts.append(f"doubtful: {counted(self.doubts, 'doubt')}, listed first")
        return "; ".join(parts)

    def _made(self) -> str:
        """Count the lights that were calibrated, and those that lack a master or uncertainties."""
        if not (self.masters or self.calibrated):
            return "nothing was made"
        if not self.lights:
            return f"{counted(self.masters, 'master')} made; there are no lights"
        done = len(self.calibrated)
        lacking = Counter(kind for of_frame in self.calibrated for kind in of_frame)
        missing = {kind: lacking[kind] for kind in KINDS["object"].needs if lacking[kind]}
        always = [f"a {kind}" for kind, number in missing.items() if number == done]
        lacks = [f"without {_listed(always)}"] if always else []
        lacks += [f"{number} without a {kind}" for kind, number in missing.items() if number < done]
        if self.without_errors:
            some = "" if self.without_errors == done else f"{self.without_errors} "
            lacks.append(f"{some}without uncertainties (noise not known)")
        return ", ".join([f"{done} of {counted(self.lights, 'light')} calibrated", *lacks])


def _not_made(what: str, files: Mapping[str, int]) -> list[str]:
    """Count the files of which nothing was made, by what they are."""
    lights, unknown = files.get("object", 0), files.get("", 0)
    frames = sum(files.get(kind, 0) for kind in AVERAGED)
    numbers = [
        counted(lights, "light"),
        f"{counted(unknown, 'file')} of unknown type",
        counted(frames, "calibration frame"),
        counted(sum(files.values()) - lights - unknown - frames, "other file"),
    ]
    some = [number for number in numbers if not number.startswith("0 ")]
    return [f"{', '.join(some)} {what}"] if some else []


def _listed(names: Sequence[str]) -> str:
    """List names with "and" before the last."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last

"""Frames of several nights in one folder: of which night each is."""

from collections.abc import Sequence

import numpy as np

from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import KINDS

__all__ = ["nights_of"]

_DAY = np.timedelta64(1, "D")
_SHORTEST_DAY = np.timedelta64(5, "h")


def nights_of(records: Sequence[FileRecord]) -> dict[str, str]:
    """Date of the evening of each frame, by path; frames whose time is not known have none.

    A day ends in the middle of the longest stretch of the 24 hours in which no frame sees light,
    since headers seldom say reliably where on Earth they are. Where there is no such stretch of
    five hours, no night is told from the next.
    """
    said = ((one, np.datetime64(one.coordinates.get("time", "NaT"), "ns")) for one in records)
    timed = [(record, time) for record, time in said if not np.isnat(time)]
    if not timed:
        return {}
    lit = {name for name, kind in KINDS.items() if kind.sees_light}
    times = {record.path: time for record, time in timed}
    seen = [time for record, time in timed if record.coordinates["image_type"] in lit]
    hours = np.sort([time - time.astype("datetime64[D]") for time in seen or times.values()])
    gaps = np.diff(np.append(hours, hours[0] + _DAY.astype("timedelta64[ns]")))
    longest = int(np.argmax(gaps))
    if gaps[longest] < _SHORTEST_DAY:
        return {}
    noon = (hours[longest] + gaps[longest] / 2) % _DAY.astype("timedelta64[ns]")
    return {path: str((time - noon).astype("datetime64[D]")) for path, time in times.items()}

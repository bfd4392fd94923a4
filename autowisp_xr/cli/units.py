"""``autowisp-xr run`` carries out what ``reduce --units`` has planned."""

import re
from argparse import Namespace
from pathlib import Path

from autowisp_xr.cli.loading import load
from autowisp_xr.cli.values import OptionError


def run(options: Namespace) -> int:
    """Carry out units of a file; print what they have written, and what was in the way."""
    load("dask.array", "autowisp_xr.night.running")
    from autowisp_xr import night
    from autowisp_xr.night.sentences import counted
    from autowisp_xr.night.unit_lines import read_units

    path, numbers = Path(options.units).expanduser(), options.numbers
    one = re.fullmatch(r"(.+)\[(\d+)\]", str(path))
    if one and not path.exists():
        path, numbers = Path(one[1]), (int(one[2]), *(numbers or ()))
    units = read_units(path)
    for number in numbers or ():
        if not 1 <= number <= len(units):
            raise OptionError(f"{path} has units 1 to {len(units)}, and no number {number}")
    others = 0
    for number in numbers or range(1, len(units) + 1):
        done = night.run(units[number - 1])
        there = f", {len(done.found)} there already" if done.found else ""
        print(f"unit {number}: {counted(len(done.files), 'file')} written{there}")
        for file, is_this in done.found.items():
            if not is_this:
                others += 1
                print(f"  kept: {file}, which holds something else")
    return 3 if others else 0

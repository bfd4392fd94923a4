"""``autowisp-xr report`` and the last lines of commands that make results: a page about a night."""

import shlex
from argparse import Namespace
from pathlib import Path

from autowisp_xr.cli.loading import load


def run(options: Namespace) -> int:
    """Write the page about results, and previews if they are wanted."""
    load("dask.array", "autowisp_xr.night.reduced_night")
    from autowisp_xr import report

    print(f"wrote {report(options.out, previews=options.previews or None)}")
    return 0


def finish(out: str, *, wanted: bool) -> None:
    """End a command with a page about its results, or the line that would make one."""
    from autowisp_xr import report
    from autowisp_xr.errors import MissingPackageError
    from autowisp_xr.report.page import PAGE

    command = f"autowisp-xr report {shlex.quote(str(out))}"
    if not wanted:
        earlier = Path(out).expanduser() / PAGE
        renewed = f"{earlier} is of an earlier run; to renew it"
        purpose = renewed if earlier.exists() else "for a page about it, with pictures"
        print(f"{purpose}: {command}")
        return
    try:
        print(f"a page about it: {report(out)}")
    except MissingPackageError as error:
        print(f"{error}, then {command}")

"""``autowisp-xr stack``: calibrated frames to a master."""

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any

from autowisp_xr.cli.loading import load, loading
from autowisp_xr.cli.options import add, add_common, add_master, add_stacking, add_step
from autowisp_xr.cli.reporting import reporting
from autowisp_xr.cli.values import OptionError

__all__ = ["add_stack", "flagged", "literal", "master_name", "stacking_arguments"]


def add_stack(steps: Any) -> None:
    """Add the command ``stack`` to the subparsers of the program."""
    step = add_step(
        steps,
        "stack",
        _run,
        images="calibrated_images",
        help="stack calibrated frames to a master",
        description="Average calibrated frames of one type and channel, outliers rejected, to a "
        "master: a file with the image, its error and its mask.",
        epilog="Names of files are filled in from the header of the first frame: {IMAGETYP}, "
        "{CLRCHNL}, ...",
    )
    add_stacking(step)
    group = step.add_argument_group("output")
    add(
        group,
        "--stacked-master-fname",
        default="MASTERS/{IMAGETYP}_{CAMSN}_{CLRCHNL}_{OBSSSNID}.fits.fz",
        metavar="NAME",
        help="name of the master, filled in from the header of the first frame; what it does not "
        "have, from the options of stacking: {PROJECT_HOME}, {MAX_ITER}, ...",
    )
    add_master(group)
    add_common(step)


def stacking_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of the MasterMaker that the options ask for."""
    names = (
        *("outlier_threshold", "average_func", "min_valid_frames", "min_valid_values"),
        *("max_iter", "exclude_mask", "compress", "add_averaged_keywords"),
    )
    return {name: getattr(options, name) for name in names}


def master_name(
    option: str, header: Any, given: Mapping[str, Any], options: argparse.Namespace
) -> str:
    """Name of a master.

    Parameters
    ----------
    option
        Whose value is the template, with keywords of the header in braces, and options in capital
        letters. Values never choose a directory, except {PROJECT_HOME} and {PROJHOME}: what
        --project-home says, or the current directory.
    header
        Of a frame.
    given
        Values of the options that may stand in the name.
    options
        Of the step.

    Raises
    ------
    OptionError
        If the template asks for what there is not.
    """
    from autowisp_xr.errors import HeaderError
    from autowisp_xr.frames.names import fill_template

    template = getattr(options, option.removeprefix("--").replace("-", "_"))
    home = options.project_home or os.getcwd()
    extra = {
        name.upper(): value if isinstance(value, int | float) else _text(value)
        for name, value in given.items()
        if isinstance(value, str | int | float | tuple)
        # an error lists what there is: of the header, and not each option of the step
        and name.upper() in template
        and name.upper() not in header
    }
    try:
        return fill_template(template, header, extra, {"PROJECT_HOME": home, "PROJHOME": home})
    except HeaderError as error:
        raise OptionError(f"{option}: {error}") from error


def literal(name: str) -> str:
    """Template of a name that is filled in already."""
    return name.replace("{", "{{").replace("}", "}}")


def flagged(name: str) -> str:
    """What share of a master is flagged, in words; nothing where it is none."""
    from autowisp_xr.frames.planes import open_planes

    if not os.path.exists(name):
        return ""
    share = float((open_planes([name])["mask"].values != 0).mean())
    return f", {share:.2%} of its pixels flagged for too few values" if share else ""


def _text(value: str | Sequence[Any]) -> str:
    return value if isinstance(value, str) else ",".join(str(item) for item in value)


def _run(options: argparse.Namespace) -> int:
    with reporting(options):
        return _stack(options)


def _stack(options: argparse.Namespace) -> int:
    with loading():
        from autowisp_xr.frames import find_files
        from autowisp_xr.provenance import hashing
    files = find_files(options.calibrated_images)
    # one core reads the files while the other one imports
    with hashing(files):
        return _stack_files(files, options)


def _stack_files(files: Sequence[str], options: argparse.Namespace) -> int:
    load("dask.array", "autowisp_xr.image_calibration.master_maker")
    from autowisp_xr.fits.layout import read_header
    from autowisp_xr.headers.cards import parse_header
    from autowisp_xr.image_calibration import MasterMaker

    first = parse_header(read_header(files[0]))
    arguments = stacking_arguments(options)
    name = master_name("--stacked-master-fname", first, arguments, options)
    make = MasterMaker(**arguments)
    success, discarded = make(files, literal(name), allow_overwrite=options.allow_overwrite)
    left = [file for file in files if file not in discarded]
    average = options.average_func
    if success:
        how = average if isinstance(average, str) else f"quantile {average:g}"
        print(f"{name}: {how} of {len(left)} frames{flagged(name)}")
    else:
        print(
            f"no master: {len(left)} of {len(files)} frames are usable, --min-valid-frames is "
            f"{options.min_valid_frames}"
        )
    for title, frames in (("stacked" if success else "usable", left), ("discarded", discarded)):
        if frames:
            print(f"{title}:")
            for file in frames:
                print(f"  {file}")
    return 0 if success else 1

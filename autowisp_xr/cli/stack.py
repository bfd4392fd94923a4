"""``autowisp-xr stack`` stacks calibrated frames to a master."""

import math
import os
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from autowisp_xr.cli.loading import load, loading
from autowisp_xr.cli.log import print_list
from autowisp_xr.cli.values import OptionError
from autowisp_xr.filesystem.addresses import literal

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from autowisp_xr.outliers.base import Rejection


def run(options: Namespace) -> int:
    """Stack files, and print those that the master is made of; 0 if there is one."""
    with loading():
        from autowisp_xr.frames import find_files
        from autowisp_xr.provenance import hashing
    files = find_files(options.calibrated_images)
    # one core reads the files while the other one imports
    with hashing(files):
        return _stack(files, options)


def _stack(files: Sequence[str], options: Namespace) -> int:
    output = {"compress": options.compress, "add_averaged_keywords": options.add_averaged_keywords}
    arguments = {**_averaging(options), **output}
    name = master_name("stacked_master_fname", header_of(files[0]), arguments, options)
    as_original = options.reject == ("rms", ()) and not options.rejection_maps
    make = _by_class if as_original else _by_verb
    success, discarded = make(files, literal(name), arguments, options)
    left = [file for file in files if file not in discarded]
    if success:
        print(in_words(name, len(left), options))
    else:
        print(
            f"no master: {len(left)} of {len(files)} frames are usable, --min-valid-frames is "
            f"{options.min_valid_frames}"
        )
    print_list("stacked" if success else "usable", left)
    print_list("discarded", discarded)
    return 0 if success else 1


def _by_class(
    files: Sequence[str], name: str, arguments: dict[str, Any], options: Namespace
) -> tuple[bool, list[str]]:
    """Write a master as the original does: whether there is one, and the files left out."""
    load("dask.array", "autowisp_xr.image_calibration.master_maker")
    from autowisp_xr.image_calibration import MasterMaker

    return MasterMaker(**arguments)(files, name, allow_overwrite=options.allow_overwrite)


def _by_verb(
    files: Sequence[str], name: str, arguments: dict[str, Any], options: Namespace
) -> tuple[bool, list[str]]:
    """Write a stack as :func:`autowisp_xr.stack` makes it, likewise."""
    load("dask.array", "autowisp_xr.stack.stacking")
    from autowisp_xr.frames.write import to_fits
    from autowisp_xr.opening import open_fits
    from autowisp_xr.stack.stacking import stack

    if len(files) < max(options.min_valid_frames, 1):
        return False, []
    found = stack(
        open_fits(files),
        arguments["average_func"],
        reject=_rejection(options),
        exclude=arguments["exclude_mask"],
        min_values=arguments["min_valid_values"],
        average_keywords=arguments["add_averaged_keywords"],
        rejected=options.rejection_maps,
        **{option: arguments[option] for option in ("scale", "sky") if option in arguments},
    )
    to_fits(found, name, overwrite=options.allow_overwrite, compress=options.compress)
    return True, []


def _rejection(options: Namespace) -> "Rejection | None":
    import autowisp_xr as aw

    name, numbers = options.reject
    clips: dict[str, Callable[..., Rejection]] = {
        "rms": aw.SigmaClip,
        "mad": partial(aw.SigmaClip, scale="mad"),
        "winsorized": aw.WinsorizedSigmaClip,
        "linear-fit": aw.LinearFitClip,
        "noise": aw.NoiseClip,
    }
    others: dict[str, Callable[..., Rejection]] = {
        "esd": aw.GeneralizedESD,
        "minmax": aw.MinMax,
        "percentile": aw.Percentile,
    }
    if name in clips:
        rounds = None if math.isinf(options.max_iter) else options.max_iter
        return clips[name](options.outlier_threshold, max_iter=rounds)
    return others[name](*numbers) if name in others else None


def _averaging(options: Namespace) -> dict[str, Any]:
    """Return the options of averaging as ``MasterMaker`` takes them."""
    given = dict(options.groups["averaging"])
    region = given.pop("match_region")
    for name in ("scale", "sky"):
        if given[name] is None:
            del given[name]
        elif region is not None:
            given[name] = _in_region(given[name], region)
    return given


def _in_region(choice: object, region: Mapping[str, int]) -> object:
    """Return how frames are matched with the region in which levels are measured."""
    from autowisp_xr.stack.options import MEASURED, Match

    if isinstance(choice, tuple):
        return tuple(_in_region(each, region) for each in choice)
    return Match(choice, region) if isinstance(choice, str) and choice in MEASURED else choice


def header_of(file: str) -> "Header":
    """Return the header of the image of a file."""
    from autowisp_xr.fits.layout import read_header
    from autowisp_xr.headers.cards import parse_header

    return parse_header(read_header(file))


def master_name(
    option: str, header: "Header", given: Mapping[str, object], options: Namespace
) -> str:
    """Return the name of a master.

    Parameters
    ----------
    option
        Whose value is the template, with keywords of the header in braces, and options in capital
        letters. Values never choose a directory, except {PROJECT_HOME} and {PROJHOME}:
        that of --project-home, or the current directory.
    header
        Of a frame.
    given
        Values of the options that may stand in the name.
    options
        Of the step.

    Raises
    ------
    OptionError
        If the template asks for a keyword or option that there is not.
    """
    from autowisp_xr.errors import HeaderError
    from autowisp_xr.frames.names import fill_template

    template = getattr(options, option)
    home = options.project_home or os.getcwd()
    extra = {
        name.upper(): ",".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in given.items()
        if isinstance(value, str | int | float | tuple)
        # an error lists the keywords that there are, but not each option of the step
        and name.upper() in template
        and name.upper() not in header
    }
    try:
        return fill_template(template, header, extra, {"PROJECT_HOME": home, "PROJHOME": home})
    except HeaderError as error:
        raise OptionError(f"--{option.replace('_', '-')}: {error}") from error


def in_words(name: str, number: int, options: Namespace) -> str:
    """Describe the frames of a master, and the share of its pixels that is flagged, if any is."""
    from autowisp_xr.frames.open import open_planes

    average = options.average_func
    how = average if isinstance(average, str) else f"quantile {average:g}"
    text = f"{name}: {how} of {number} frames"
    share = 0.0
    if os.path.exists(name):
        share = float((open_planes([name])["mask"].values != 0).mean())
    return f"{text}, {share:.2%} of its pixels flagged for too few values" if share else text

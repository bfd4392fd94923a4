"""Options that the steps share, in groups, with the names and defaults of the original.

A step calls :func:`add_step`, adds groups of its own with :func:`add`, and ends with
:func:`add_common`; what stacks also calls :func:`add_stacking`.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from autowisp_xr.cli import values

__all__ = [
    "Listed",
    "add",
    "add_common",
    "add_master",
    "add_output",
    "add_stacking",
    "add_step",
]

LEVELS = ("debug", "info", "warning", "error", "critical")


class Listed(argparse.Action):
    """An option with several values, which ``combine`` makes one; repeated, it has them all."""

    def __init__(self, *, combine: Callable[[Sequence[str]], Any], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.combine = combine

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Combine these values with those that the same option had before."""
        seen = f"_{self.dest}"
        texts = [*getattr(namespace, seen, []), *(values or [])]
        setattr(namespace, seen, texts)
        try:
            setattr(namespace, self.dest, self.combine(texts))
        except ValueError as error:
            raise argparse.ArgumentError(self, str(error)) from error


def add_step(
    steps: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    images: str,
    help: str,
    description: str,
    epilog: str,
) -> argparse.ArgumentParser:
    """Add a command of the original to the subparsers of the program, with its input files."""
    step: argparse.ArgumentParser = steps.add_parser(
        name,
        help=help,
        description=description,
        epilog=f"{epilog} An option that takes several values takes all that follow: name the "
        "files first, or put -- before them.",
        usage="%(prog)s FILE [FILE ...] [OPTION ...]",
        allow_abbrev=False,
    )
    step.add_argument(
        images,
        nargs="+",
        metavar="FILE",
        help="FITS files, glob patterns, or directories (which are not searched deeper)",
    )
    step.set_defaults(run=run, step=name, parser=step)
    return step


def add(
    group: Any,
    *names: str,
    help: str,
    default: Any = None,
    combine: Callable[[Sequence[str]], Any] | None = None,
    **keywords: Any,
) -> None:
    """Add an option to a group; the help says the default, unless there is none.

    Parameters
    ----------
    group
        A parser, or one of its groups.
    *names, help, default, **keywords
        As for ``add_argument`` of argparse; ``help`` may have percent signs.
    combine
        Makes one value of several, for an option that takes several.
    """
    if combine is not None:
        keywords = {"action": Listed, "combine": combine, "nargs": "+"} | keywords
    shown = _shown(default)
    if shown:
        help = f"{help} (default: {shown})"
    group.add_argument(*names, default=default, help=help.replace("%", "%%"), **keywords)


def _shown(default: Any) -> str:
    if default is None or default is False or default == ():
        return ""
    if isinstance(default, list | tuple):
        return " ".join(str(item) for item in default)
    return str(default)


def add_output(group: Any) -> None:
    """Add to the group of the output what all steps have: whether files may be replaced."""
    add(
        group,
        "--allow-overwrite",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="replace files that exist already",
    )


def add_stacking(
    step: argparse.ArgumentParser,
    *,
    title: str = "how the frames are averaged",
    prefix: str = "",
    outlier_threshold: float | tuple[float, float] = 5.0,
    min_valid_values: int = 5,
    max_iter: int = 20,
    min_valid_frames: int | None = 10,
) -> None:
    """Add how frames become a master: the average, what it rejects, what it needs.

    Parameters
    ----------
    step
        The parser of the command.
    title, prefix
        Of the group, and of the names of its options.
    outlier_threshold, min_valid_values, max_iter, min_valid_frames
        Defaults; None where there is no option for the number of frames.
    """
    group = step.add_argument_group(title)
    add(
        group,
        f"--{prefix}average-func",
        type=values.average,
        default="median",
        metavar="NAME",
        help="median, mean, min, max (or nanmedian and so on), quantile:0.7 or percentile:70",
    )
    add(
        group,
        f"--{prefix}outlier-threshold",
        combine=values.thresholds,
        default=outlier_threshold,
        metavar="SIGMA",
        help="reject values that are farther from the average than this many times the root mean "
        "square distance: one number for both sides, or two of opposite signs",
    )
    add(
        group,
        f"--{prefix}max-iter",
        type=values.rounds,
        default=max_iter,
        metavar="N",
        help="reject at most so many times; inf for as often as it takes",
    )
    add(
        group,
        f"--{prefix}exclude-mask",
        combine=values.flag_names,
        nargs="*",
        default=("BAD",),
        metavar="FLAG",
        help="leave out pixels with any of these flags: FAULT, HOT, COSMIC, OUTER, "
        "OVERSATURATED, LEAKED, SATURATED, INTERPOLATED, or BAD for all of them",
    )
    add(
        group,
        f"--{prefix}min-valid-values",
        type=values.whole,
        default=min_valid_values,
        metavar="N",
        help="flag pixels that fewer values went into",
    )
    if min_valid_frames is not None:
        add(
            group,
            f"--{prefix}min-valid-frames",
            type=values.whole,
            default=min_valid_frames,
            metavar="N",
            help="make no master of fewer frames",
        )


def add_master(group: Any) -> None:
    """Add to the group of the output what the files of masters have."""
    add(
        group,
        "--add-averaged-keywords",
        combine=tuple,
        nargs="*",
        default=("JD-OBS",),
        metavar="KEYWORD",
        help="header keywords whose values are averaged, as the pixels are",
    )
    add(
        group,
        "--compress",
        type=values.number,
        metavar="LEVEL",
        help="compress, and round to the noise of each row divided by this (16, say); without it, "
        "nothing is rounded",
    )
    add_output(group)


def add_common(step: argparse.ArgumentParser) -> None:
    """Add the options of all steps: files with options, the project, the log."""
    group = step.add_argument_group("configuration")
    add(
        group,
        *("--config-file", "-c"),
        metavar="TOML",
        help='file with options: "max-iter = 5", "master-bias = ["R:r.fits", "B:b.fits"]"; in a '
        f"table [{step.get_default('step')}] where it serves several steps. The command line goes "
        "before --extra-config-file, and that before --config-file",
    )
    add(group, "--extra-config-file", metavar="TOML", help="another such file")
    add(
        group,
        "--project-home",
        metavar="DIR",
        help="PROJHOME in names of files, and in headers (default: the current directory, in "
        "names that ask for it)",
    )
    add(
        group,
        "--iers-auto-max-age",
        type=values.number,
        metavar="DAYS",
        help="age at which astropy looks for new tables of the rotation of the Earth (default: "
        "that of astropy)",
    )
    group = step.add_argument_group("log")
    add(group, "--verbose", choices=LEVELS, default="info", help="the least that is logged")
    add(
        group,
        "--logging-fname",
        metavar="NAME",
        help="write the log to this file, with {processing_step}, {now} and {pid} filled in "
        "(default: lines to the terminal, or a counter)",
    )
    add(
        group,
        "--std-out-err-fname",
        metavar="NAME",
        help="write what would be printed to this file, named likewise",
    )
    add(
        group,
        "--fname-datetime-format",
        default="%Y%m%d%H%M%S",
        metavar="FORMAT",
        help="format of {now} in these names",
    )
    add(
        group,
        "--logging-message-format",
        default="%(levelname)s %(asctime)s %(name)s: %(message)s",
        metavar="FORMAT",
        help="format of a line of the log, as for logging.Formatter of Python",
    )
    add(
        group,
        "--logging-datetime-format",
        metavar="FORMAT",
        help="format of the time in a line of the log (default: that of Python)",
    )

"""Options of the commands that look at a whole night: what frames are, and what corrects them."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autowisp_xr.cli.options import add
from autowisp_xr.cli.settings import in_table
from autowisp_xr.cli.values import OptionError, number
from autowisp_xr.kinds import EXPOSURE_TOLERANCE, TEMPERATURE_TOLERANCE

__all__ = ["add_night", "night_arguments"]


def add_night(step: argparse.ArgumentParser) -> None:
    """Add to a command how frames are recognised, and how masters are chosen for them."""
    group = step.add_argument_group("what the frames are")
    add(
        group,
        "--type",
        combine=_rules,
        nargs=1,
        metavar="PATTERN=TYPE",
        help="type of frames whose headers do not say it, or say something else: 'flat-*=flat' by "
        "name, 'flats/*=flat' by folder, 'IMAGETYP=Light Frame=flat' by a card; types are bias, "
        "dark, flat, object, other. May be repeated; the first that fits decides",
    )
    add(
        group,
        "--hdu",
        metavar="HDU",
        help="which HDU is the image, where files hold several: its number, or its name (EXTNAME, "
        "or EXTNAME,EXTVER); otherwise the first that holds one",
    )
    add(
        group,
        "--camera",
        metavar="FILE",
        help="TOML file with gain (e/ADU), read_noise (e), saturation (ADU), bias_level (ADU), "
        "channels, image_area, overscan, leak_directions; the headers say the rest",
    )
    add(
        group,
        "--gain",
        type=number,
        metavar="ELECTRONS",
        help="electrons per ADU, whatever headers and camera file say; without it, and where they "
        "say none, reduce measures it from flats and biases",
    )
    add(
        group,
        "--read-noise",
        type=number,
        metavar="ELECTRONS",
        help="read noise in electrons, whatever headers and camera file say",
    )
    add(
        group,
        "--channels",
        metavar="PATTERN",
        help="colours of the first row of the frames as stored, then of the second (RGGB), or "
        "mono, whatever headers and camera file say",
    )
    add(
        group,
        *("--config-file", "-c"),
        metavar="TOML",
        help='file with options, and with tables [camera], [types] ("flat-*" = "flat") and '
        '[spellings] (exposure = "IMG_SEC"); the command line goes before it',
    )
    group = step.add_argument_group("which master corrects which frame")
    add(
        group,
        "--masters",
        combine=tuple,
        nargs=1,
        metavar="DIR",
        help="masters of other nights, for what this night has none of: a directory (such as "
        "OUT of another night), file or glob pattern. May be repeated",
    )
    add(
        group,
        "--prefer",
        choices=("nearest", "older"),
        default="nearest",
        help="of masters of other nights, those nearest in time, or older ones before newer ones",
    )
    add(
        group,
        "--scale-dark",
        choices=("no", "down", "any"),
        default="down",
        help="where no dark has the exposure of a frame, scale one: down, of a longer exposure "
        "only; any, also a shorter one, at the price of its noise (which the error plane and the "
        "summary tell); no leaves the frame out (default: %(default)s)",
    )
    add(
        group,
        "--temperature-tolerance",
        type=number,
        default=TEMPERATURE_TOLERANCE,
        metavar="DEGREES",
        help="largest difference between frames and their bias and dark",
    )
    add(
        group,
        "--exposure-tolerance",
        type=number,
        default=EXPOSURE_TOLERANCE,
        metavar="SHARE",
        help="largest relative difference between frames and their dark",
    )
    add(
        group,
        *("--allow-mismatch", "--ignore"),
        combine=tuple,
        nargs=1,
        metavar="TRAIT",
        help="what may differ between frames and masters: camera, binning, window, gain_setting, "
        "offset, readout_mode, temperature, filter, ... May be repeated",
    )
    add(
        group,
        "--match",
        combine=tuple,
        nargs=1,
        metavar="KEYWORD",
        help="a card that has to agree, too, between frames of a set and with their masters. May "
        "be repeated",
    )
    add(
        group,
        "--group-by",
        combine=tuple,
        nargs=1,
        choices=("night", "target", "none"),
        help="what parts frames that agree otherwise: night (calibration frames, too), target, or "
        "none; by default, flats and science frames are parted by night, biases and darks of "
        "several nights where their levels differ. May be repeated",
    )


def night_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of ``reduce`` and ``open_night`` that the options ask for.

    Raises
    ------
    OptionError
        For a value that is none, naming the option or the file.
    """
    from autowisp_xr import Camera, Matching, Spellings

    tables = getattr(options, "tables", {})
    camera = None
    if options.camera:
        camera = Camera.from_toml(options.camera)
    elif "camera" in tables:
        with in_table(options.config_file, "camera"):
            camera = Camera.from_mapping(tables["camera"])
    said = {
        name: value
        for name, value in (
            ("gain", options.gain),
            ("read_noise", options.read_noise),
            ("channels", _channels(options.channels)),
        )
        if value is not None
    }
    if said:
        camera = replace(camera or Camera(), **said)
    spellings = None
    if "spellings" in tables:
        with in_table(options.config_file, "spellings"):
            spellings = Spellings().extended(**tables["spellings"])
    return {
        "camera": camera,
        # what the command line says comes first, and once it says a pattern, stands
        "types": {**(options.type or {}), **_others(tables.get("types", {}), options.type)} or None,
        "spellings": spellings,
        "hdu": options.hdu,
        "masters": options.masters,
        "matching": Matching(
            temperature=options.temperature_tolerance,
            exposure=options.exposure_tolerance,
            scale_dark=False if options.scale_dark == "no" else options.scale_dark,
            allow_mismatch=options.allow_mismatch or (),
            keywords=options.match or (),
            group_by=_grouping(options.group_by),
            prefer=options.prefer,
        ),
    }


def _channels(given: str | None) -> Any:
    from autowisp_xr.schema import MONO

    # one channel of all pixels, where no pattern would leave the word to the headers
    return {MONO: (slice(None), slice(None))} if given == MONO else given


def _grouping(given: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(name for name in given if name != "none")


def _others(rules: dict[str, str], said: dict[str, str] | None) -> dict[str, str]:
    return {pattern: kind for pattern, kind in rules.items() if pattern not in (said or {})}


def _rules(texts: Sequence[str]) -> dict[str, str]:
    rules: dict[str, str] = {}
    for text in texts:
        pattern, equals, kind = text.rpartition("=")
        if not (equals and pattern and kind):
            raise OptionError(f"a rule is PATTERN=TYPE, such as 'flat-*=flat', not {text!r}")
        rules.setdefault(pattern, kind.strip())
    return rules

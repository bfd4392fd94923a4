"""Remedies that name arguments of Python, in the words of the command line.

Decision: an error or a warning of a verb names what its caller types. Whoever reads it in a summary
or on a terminal types options and camera files, so that it is put into their words there, and not
where it is raised.
"""

import re

_WORDS = [
    (re.compile(pattern), option)
    for pattern, option in (
        (r"\ballow_overwrite=True", "--allow-overwrite"),
        (r"\breduce\(\.\.\., overwrite=True\)", "reduce --overwrite"),
        (r"\b(reduce the night again with|or) overwrite=True", r"\1 --overwrite"),
        (r"\bchecksum=False, (?=--no-checksum)", ""),
        (r"\bscale_dark='(\w+)'", r"--scale-dark \1"),
        (r"\ballow_mismatch='(\w+)'", r"--allow-mismatch \1"),
        (
            r"\bmin_pointing_separation=None, or FlatSelection\.dome\(\)",
            "--min-pointing-separation none (of reduce: in the file of --flat-limits)",
        ),
        (r"\bCamera\(gain=\.\.\., read_noise=\.\.\.\)", "--gain and --read-noise"),
        (r"\bCamera\(gain=\.\.\.\)", "--gain"),
        (r"\bCamera\((\w+)=\(\)\)", r"\1 = [] in a camera file"),
        (r"\bCamera\((\w+)=\.\.\.[^)]*\)( or Overscan\(areas=\.\.\.\))?", r"\1 in a camera file"),
        (r"\baw\.measure\.gain_and_read_noise\b", "autowisp-xr camera"),
        (r"(?: of its frames)? (with|by) master_\w+\(frames[^)]*\)", r" of its frames \1 reduce"),
        (r"\bgive (bias|dark|flat)=\.\.\.", r"give a \1"),
        (r" \((?:bias=\.\.\.|overscan=False)\)", ""),
        (r", or let calibrate\(bias=\.\.\., dark=\.\.\.\) subtract it from both", ""),
    )
]


def in_options(text: str) -> str:
    """Return a message whose remedies name options in place of arguments.

    Examples
    --------
    >>> in_options("give a dark of 60 s, scale_dark='any', or allow_mismatch='exposure'")
    'give a dark of 60 s, --scale-dark any, or --allow-mismatch exposure'
    """
    for pattern, option in _WORDS:
        text = pattern.sub(option, text)
    return text

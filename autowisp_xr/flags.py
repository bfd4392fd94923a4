"""The bits of a mask: what is to be known of a pixel before it is trusted.

``HOT`` and ``NONLINEAR`` inform: the value of such a pixel is right, and its variance states how
noisy it is. The others are reasons not to take the value at all; ``UNUSABLE`` stands for any of
these, and stacks leave it out unless asked otherwise. Levels and noise of a camera are measured on
pixels that are not ``BAD``, which takes the hot ones out as well: they are no sample of the others.
"""

from collections.abc import Iterable
from enum import IntFlag
from numbers import Integral


class Flag(IntFlag):
    """Bits of the ``mask`` of a frame; 0 means a good pixel.

    The values are those of the HAT and AutoWISP surveys, so that their masks can be read as they
    are, and NONLINEAR, which these do not have: brighter than the range over which the response of
    the camera is known. ``NAN`` is another name of ``FAULT``; ``SATURATED`` stands for either of
    its two bits, ``BAD`` (also ``ALL``) for any flag of these surveys, ``UNUSABLE`` for FAULT,
    COSMIC, OUTER, SATURATED or INTERPOLATED.

    Examples
    --------
    >>> Flag.SATURATED == Flag.OVERSATURATED | Flag.LEAKED
    True
    >>> int(Flag.BAD)
    127
    """

    FAULT = 1
    HOT = 2
    COSMIC = 4
    OUTER = 8
    OVERSATURATED = 16
    LEAKED = 32
    INTERPOLATED = 64
    NONLINEAR = 128
    NAN = 1
    SATURATED = 48
    BAD = 127
    ALL = 127
    UNUSABLE = 125


_EVERY_BIT = 255


class Defect(IntFlag):
    """Bits of ``reason``: what is wrong with a pixel."""

    HOT = 1
    """It has much dark current; with a stable dark, it is usable."""
    UNSTABLE = 2
    """Its dark current scatters by more than its noise: it jumps between levels."""
    NOISY = 4
    """Its biases scatter by more than the read noise."""
    DEAD = 8
    """Its response to light is below the floor."""
    SATURATED = 16
    """It has no usable value without light."""
    NONLINEAR = 32
    """Its response changes with the level."""
    LINE = 64
    """It is in a run of a column or row that is mostly bad."""
    CLUSTER = 128
    """Most pixels around it are bad."""


def as_flag(names: "str | int | Iterable[str | int]") -> Flag:
    """Return the union of the named flags.

    Parameters
    ----------
    names
        A name ("BAD"), several with commas ("HOT,COSMIC"), a number, or an iterable of these.

    Raises
    ------
    ValueError
        For a name or bit that is not a flag, naming those that are.

    Examples
    --------
    >>> int(as_flag("SATURATED")), int(as_flag(["HOT", "COSMIC"]))
    (48, 6)
    """
    parts: Iterable[object]
    if isinstance(names, str):
        parts = names.split(",")
    else:
        parts = names if isinstance(names, Iterable) else (names,)
    selected = Flag(0)
    for part in parts:
        if isinstance(part, str):
            name = part.strip().upper()
            if name not in Flag.__members__:
                known = ", ".join(Flag.__members__)
                raise ValueError(f"{part!r} is not a flag; the flags are {known}")
            selected |= Flag[name]
        elif isinstance(part, Integral) and 0 <= part <= _EVERY_BIT:
            selected |= Flag(int(part))
        else:
            raise ValueError(
                f"{part} is not a combination of flags, which go from 0 to {_EVERY_BIT}"
            )
    return selected


def names_of(flags: Flag) -> str:
    """Return the names of flags as :func:`as_flag` takes them; "0" for none.

    Examples
    --------
    >>> names_of(Flag.UNUSABLE), names_of(Flag.BAD)
    ('FAULT,COSMIC,OUTER,SATURATED,INTERPOLATED', 'BAD')
    """
    if flags == Flag.BAD:
        return "BAD"
    names = ",".join(str(flag.name) for flag in flags) or "0"
    return names.replace("OVERSATURATED,LEAKED", "SATURATED")

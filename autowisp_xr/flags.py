"""The bits of a mask, each a reason not to trust a pixel."""

from collections.abc import Iterable
from enum import IntFlag
from numbers import Integral


class Flag(IntFlag):
    """Bits of the ``mask`` of a frame; 0 means a good pixel.

    The values are those of the HAT and AutoWISP surveys, so that their masks can be read as they
    are. Bit 128 is not used. ``NAN`` is another name of ``FAULT``; ``SATURATED`` stands for either
    of its two bits, ``BAD`` (also ``ALL``) for any bit at all.
    """

    FAULT = 1
    HOT = 2
    COSMIC = 4
    OUTER = 8
    OVERSATURATED = 16
    LEAKED = 32
    INTERPOLATED = 64
    NAN = 1
    SATURATED = 48
    BAD = 127
    ALL = 127


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
    parts: Iterable[str | int]
    if isinstance(names, str):
        parts = names.split(",")
    elif isinstance(names, Integral):
        parts = (int(names),)
    else:
        parts = names  # type: ignore[assignment]  # numbers of NumPy are Integral, too
    selected = Flag(0)
    for part in parts:
        if isinstance(part, str):
            name = part.strip().upper()
            if name not in Flag.__members__:
                known = ", ".join(Flag.__members__)
                raise ValueError(f"{part!r} is not a flag; the flags are {known}")
            selected |= Flag[name]
        elif 0 <= part <= Flag.ALL:
            selected |= Flag(int(part))
        else:
            raise ValueError(f"{part} is not a combination of flags, which go from 0 to 127")
    return selected

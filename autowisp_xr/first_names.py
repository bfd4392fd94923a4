"""Some names in words: the first of them, and the number of the others."""

from collections.abc import Sequence


def first_of(names: Sequence[str], most: int = 1, *, joined: str = ", ") -> str:
    """List the first of some names, and the number of the others.

    Examples
    --------
    >>> first_of(["a", "b", "c"]), first_of(["a", "b", "c"], 3), first_of([])
    ('a and 2 more', 'a, b, c', '')
    """
    more = len(names) - most
    return joined.join(names[:most]) + (f" and {more} more" if more > 0 else "")

"""Units of a night carried out, of whatever kind."""

from pathlib import Path

from autowisp_xr import provenance, store
from autowisp_xr.night.product_writing import STORE
from autowisp_xr.night.reduction import reduce
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.units import Export, Make, UnitError, Written, one_at_a_time


def run(unit: Export | Make) -> Written:
    """Carry out a unit of the work on a night, in this process and its threads.

    Parameters
    ----------
    unit
        As :func:`read_units` reads it from a file of ``reduce --units``.

    Returns
    -------
    What it has written, and what was there.

    Raises
    ------
    UnitError
        If what it needs is not there yet, or it cannot be made.
    BadImageError
        If what it needs is another by now.

    Notes
    -----
    It may be carried out again, by several processes at once, and after one was killed: what is
    there already and has the identity that is asked for is accepted, anything else stays as it is.
    A process carries out one unit at a time; its threads work on that one.
    """
    with one_at_a_time():
        return _make(unit) if isinstance(unit, Make) else unit.run()


def _make(unit: Make) -> Written:
    place = Path(unit.out) / STORE
    missing = [need for need in unit.needs if store.stated_identity(place, need) is None]
    if missing:
        raise UnitError(sentence("unit_needs", unit=unit.group, needs=", ".join(missing)))
    before = store.stated_identity(place, unit.group)
    summary = reduce(unit.night, unit.out, units=unit, **unit.options)
    made = next((one for one in summary.made if one.group == unit.group), None)
    if made is None:
        reasons = "; ".join(dict.fromkeys(summary.failed.values()))
        raise UnitError(sentence("unit_failed", unit=unit.group, reason=reasons or "no such set"))
    if store.stated_identity(place, unit.group) == before:
        return Written(found=dict.fromkeys(made.files, True))
    return Written(files=tuple(map(provenance.file_entry, made.files)))

"""The result of making master flats: the masters, and why frames were taken or not."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr._compat import in_memory
from autowisp_xr.flats.large_scale import cloud_maps
from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.html_pieces import folded, paragraph, table, thumbnail
from autowisp_xr.stack.coordinates import common_scalar


@dataclass(frozen=True, repr=False, eq=False)
class MasterFlats:
    """The masters that were made of a set of flats, and the table of its frames.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> flats = aw.master_flat(night.flat(5), bias=aw.master_bias(night.bias(5)))
    >>> flats.low is None, sorted(set(flats.frames["class"].values.tolist()))
    (True, ['high'])
    """

    high: xr.Dataset | None
    """Master (channel, y, x) of the bright frames, dimensionless, mean one; None without any."""

    low: xr.Dataset | None
    """The same of the faint frames, of the same large-scale shape."""

    frames: xr.Dataset
    """Over ``frame``, in memory: ``class`` and ``reason`` of each frame, and what decided, as
    :func:`select_flats` gives it, with ``deviation``, the largest structure left after matching.
    ``frames.drop_dims("power").to_dataframe()`` is a table to read. Without a selection: class,
    reason, and the ``mean`` level in ADU over (frame, channel), lazy where the frames are (they
    then all count as high; a level of NaN takes no part)."""

    reference: xr.Dataset | None = None
    """Stack of the high frames, in memory, whose large-scale shape both masters have."""

    chosen_from: xr.Dataset | None = None
    """The calibrated frames (lazy where they were), for pictures."""

    selection: FlatSelection | None = None
    """The selection by which the frames were chosen."""

    compute_levels: Callable[[], "MasterFlats"] | None = None
    """Gives the same where levels are computed, and ``frames`` states who takes part; None where
    they are."""

    def clouds(self, *frames: str) -> xr.DataArray:
        """Map what frames differ from the reference by once they have its large-scale shape.

        Parameters
        ----------
        frames
            Names; none for all frames.

        Returns
        -------
        (frame, channel, y, x) float32, relative and smooth as the cloud check sees it; lazy where
        the frames are.

        Raises
        ------
        ValueError
            If there is no reference: nothing was selected, or too few frames were high.
        """
        if self.reference is None or self.chosen_from is None or self.selection is None:
            raise ValueError(
                "there is no reference to hold frames against: it takes a selection and "
                "min_high_frames high frames"
            )
        names = list(frames) or schema.names(self.chosen_from, "frame")
        chosen = self.chosen_from.sel(frame=names, channel=schema.names(self.reference, "channel"))
        return cloud_maps(chosen, self.reference, self.selection, masked="leave out")

    def __repr__(self) -> str:
        lines = [f"MasterFlats of {self.frames.sizes['frame']} frames: {self._counted()}"]
        for kind, master in self._masters():
            sizes = {} if master is None else master.sizes
            listed = ", ".join(f"{dim}: {size}" for dim, size in sizes.items())
            lines.append(f"  {kind}: {f'({listed})' if listed else None}")
        lines += [f"  note: {note}" for note in self.notes]
        for name, kind, _, reason in self._rows():
            if set(kind.split("; ")) - {"high", "low"}:
                lines.append(f"  {name}: {kind}: {reason}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        made = ", ".join(
            f"{kind}: {'none' if master is None else 'made'}" for kind, master in self._masters()
        )
        title = f"MasterFlats of {self.frames.sizes['frame']} frames: {self._counted()}"
        rows = table(self._rows(), ("frame", "class", "mean [ADU]", "reason"))
        return (
            paragraph(title, bold=True)
            + paragraph(f"Masters {made}")
            + "".join(self._thumbnails())
            + "".join(map(paragraph, self.notes))
            + folded("frames", rows, unfolded=True)
        )

    def _masters(self) -> tuple[tuple[str, xr.Dataset | None], ...]:
        return ("high", self.high), ("low", self.low)

    def _thumbnails(self) -> Iterator[str]:
        """Yield a picture of each channel of the masters that are in memory."""
        for kind, master in self._masters():
            if master is None or not in_memory(master["image"].variable):
                continue
            names = schema.names(master, "channel")
            for name, plane in zip(names, master["image"].values, strict=True):
                yield thumbnail(plane, f"{kind}, {name}" if len(names) > 1 else kind)

    @property
    def notes(self) -> list[str]:
        """The tests and the masters that could not be made."""
        return list(self.frames.attrs.get("notes", []))

    def _counted(self) -> str:
        counts = Counter(np.ravel(self.frames["class"].values).tolist())
        return ", ".join(f"{number} {kind}" for kind, number in counts.most_common())

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Return name, class, mean and reason of each frame; those of channels side by side."""
        means = self.frames["mean"]
        # a picture of lazy frames must not calibrate them all
        known = means.values.tolist() if means.chunks is None else [[]] * means.sizes["frame"]
        columns = (self.frames[name].values.tolist() for name in ("class", "reason"))
        return [
            (name, _joined(kind), " ".join(f"{mean:.5g}" for mean in levels), _joined(reason))
            for name, levels, kind, reason in zip(
                schema.names(self.frames, "frame"), known, *columns, strict=True
            )
        ]


def merged(
    apart: Sequence[MasterFlats], frames: xr.Dataset, selection: FlatSelection
) -> MasterFlats:
    """Merge the results of channels, which chose among the frames on their own.

    A master has the channels for which it could be made.
    """
    return MasterFlats(
        high=_channels([part.high for part in apart]),
        low=_channels([part.low for part in apart]),
        frames=_tables([part.frames for part in apart]),
        reference=_channels([part.reference for part in apart]),
        chosen_from=frames,
        selection=selection,
    )


def _channels(parts: Sequence[xr.Dataset | None]) -> xr.Dataset | None:
    """Put the channels that there are side by side, with what their stacks have in common."""
    made = [part for part in parts if part is not None]
    if not made:
        return None
    first = made[0]
    scalars = [str(name) for name, coord in first.coords.items() if coord.ndim == 0]
    whole = _side_by_side([part.drop_vars(scalars) for part in made])
    whole = whole.assign_coords({name: common_scalar(made, name) for name in scalars})
    masters = {schema.names(part, "channel")[0]: part for part in made}
    return provenance.record(whole, "merge_channels", source=first, masters=masters)


def _tables(tables: Sequence[xr.Dataset]) -> xr.Dataset:
    whole = _side_by_side(
        [
            table.assign(
                {
                    name: table[name].expand_dims(channel=table["channel"], axis=1)
                    for name in ("class", "reason")
                }
            )
            for table in tables
        ]
    )
    notes = [
        f"{schema.names(table, 'channel')[0]}: {note}"
        for table in tables
        for note in table.attrs["notes"]
    ]
    return whole.assign_attrs(notes=notes)


def _side_by_side(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put Datasets along ``channel``; what has no channel is that of the first."""
    return xr.concat(
        parts,
        "channel",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="override",
    )


def _joined(values: str | Sequence[str]) -> str:
    return values if isinstance(values, str) else "; ".join(values)

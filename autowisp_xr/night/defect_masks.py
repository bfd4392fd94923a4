"""The defective pixels of each setup of a night: found in its own frames, or read from files."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from typing import Literal, TypeAlias

import numpy as np
import xarray as xr

from autowisp_xr import measure, recipes, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispWarning, BadImageError
from autowisp_xr.flags import Flag
from autowisp_xr.frames import FileRecord, open_records
from autowisp_xr.frames.names import Paths
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import reason_against
from autowisp_xr.measure.defective_pixels import late_defects
from autowisp_xr.night.frame_sets import FrameSet
from autowisp_xr.night.plan import Product
from autowisp_xr.night.product_writing import STORE, Remarks, Writer
from autowisp_xr.night.sentences import sentence
from autowisp_xr.opening import open_fits

DefectsChoice: TypeAlias = "Paths | Literal['none'] | None"
"""Files of masks; "none" for no mask; None for what the night shows itself."""

_NAME = "defects"
_LIT = "flat"
_SERVES = {"bias": "bias", "dark": "dark", "darkflat": "dark", _LIT: _LIT}
"""What frames of a kind are looked at as."""

_MOST = 0.5
"""The share of the pixels of a mask of another program that may be bad: of more, 1 is good."""


def read_masks(choice: DefectsChoice) -> list[xr.Dataset] | None:
    """Return the masks (channel, y, x) that the user names; None where the night is to show them.

    Raises
    ------
    BadImageError
        For a mask most pixels of which are bad.
    """
    if choice is None:
        return None
    if isinstance(choice, str) and choice.lower() == "none":
        return []
    paths = [choice] if isinstance(choice, str | PathLike) else list(choice)
    masks = []
    for path in paths:
        with warnings.catch_warnings():
            # what else is in the file of a mask is of no use here
            warnings.simplefilter("ignore", AutowispWarning)
            opened = open_fits(path)
        masks += [_as_mask(opened.isel(frame=n), str(path)) for n in range(opened.sizes["frame"])]
    return masks


def _as_mask(file: xr.Dataset, path: str) -> xr.Dataset:
    """Return the mask of a file: its plane of flags, or its image, where what is not 0 is bad."""
    if "mask" in file:
        return file[["mask"]].compute()
    bad = file["image"].compute() != 0
    share = float(bad.mean())
    if share > _MOST:
        raise BadImageError(sentence("mask_inverted", path=path, share=100 * share))
    flags = (bad.astype(np.uint8) * np.uint8(Flag.FAULT)).assign_attrs(
        schema.variable_attributes("mask")
    )
    return flags.to_dataset(name="mask").assign_attrs(file.attrs)


@dataclass
class DefectMasks:
    """The masks of the setups of a night."""

    given: Sequence[xr.Dataset] | None
    """As :func:`read_masks` gives them."""
    sets: Mapping[str, Sequence[FrameSet]]
    """All frames of a setup, by its place."""
    cameras: Mapping[str, Camera | None]
    writer: Writer
    _known: dict[str, list[xr.Dataset]] = field(default_factory=dict)

    def of(self, place: str, size: tuple[int, ...]) -> list[xr.Dataset]:
        """Return the masks of a setup, whose image area has this size (channel, y, x)."""
        if self.given is not None:
            fitting = [one for one in self.given if one["mask"].shape == size]
            if self.given and not fitting:
                shapes = ", ".join(str(one["mask"].shape) for one in self.given)
                self.writer.summary.notes.append(
                    sentence("mask_of_other_size", shapes=shapes, size=size)
                )
            return fitting
        return self._known.get(place, [])

    def find(self, place: str) -> None:
        """Find the defects of a setup, and write them, unless that was done or is not wanted."""
        if self.given is not None or place in self._known:
            return
        product = _product(place, self.sets[place])
        if product is None:
            made = self._of_others(place)
        else:
            made = self.writer.attempt(product, partial(self._measured, place))
        self._known[place] = [] if made is None else [_alone(made)]
        if product is not None:
            # the mask alone is used
            recipes.put_away(self.writer.target / STORE, product.group)

    def _of_others(self, place: str) -> xr.Dataset | None:
        """Return the defects that another night has found in this setup; None where none has."""
        plan, wanted = self.writer.summary.plan, self.sets[place][0].traits
        for other in plan.others:
            kind = other.traits.kind
            if kind == _NAME and other.open is not None:
                against = reason_against(wanted, other.traits, plan.matching, KINDS[kind].serves)
                if against is None:
                    note = sentence("defects_of_others", name=other.name)
                    self.writer.summary.notes.append(f"{place}: {note}" if place else note)
                    return other.open()
        return None

    def _measured(self, place: str, records: Sequence[FileRecord], remarks: Remarks) -> xr.Dataset:
        """Find the defects in the frames of a setup, as far as they can be read."""
        paths = {record.path for record in records}
        camera = self.cameras[place]
        of_kind: dict[str, list[xr.Dataset]] = {}
        for one in self.sets[place]:
            good = [record for record in one.records if record.path in paths]
            kind = _SERVES.get(one.traits.kind)
            if good and kind:
                of_kind.setdefault(kind, []).append(open_records(good, camera=camera))
        known = schema.camera_of(next(iter(of_kind.values()))[0])
        level_known = "bias" in of_kind or known.overscan or known.bias_level
        remarks.describe = _described
        return late_defects(
            biases=of_kind.get("bias"),
            darks=of_kind.get("dark"),
            flats=of_kind.get(_LIT) if level_known else None,
            camera=known,
            allow_mismatch=self.writer.summary.plan.matching.judged,
        )


def _described(found: xr.Dataset) -> str:
    text, used = described(found)
    return f"{text}; found in {used}"


def _alone(defects: xr.Dataset) -> xr.Dataset:
    """Return the mask in memory, which is the same wherever the results lie."""
    return defects[["mask"]].drop_vars(["path", "header"], errors="ignore").compute()


def _product(place: str, sets: Sequence[FrameSet]) -> Product | None:
    """Return the mask of a setup as what is to be made; None where nothing shows defects."""
    used = [one for one in sets if one.traits.kind in _SERVES]
    unlit = [one for one in used if one.traits.kind != _LIT]
    if not unlit or max(len(one.records) for one in unlit) < 2:
        return None
    records = tuple(record for one in used for record in one.records)
    traits = replace(used[0].traits, kind=_NAME)
    frames = FrameSet(name=_NAME, place=place, traits=traits, records=records)
    return Product(frames=frames, choices_of={r.path: {} for r in records}, stopped="")


def described(found: xr.Dataset) -> tuple[str, str]:
    """Count the defects of each kind in a line, and name the sets that they were found in."""
    reason, mask = found["reason"].values, found["mask"].values
    counts = {
        str(bit.name).lower(): int(np.count_nonzero(reason & np.uint8(bit)))
        for bit in measure.Defect
    }
    hot = counts.pop("hot")
    listed = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    wrong = int(np.count_nonzero(mask & np.uint8(Flag.FAULT)))
    listed = f" ({listed})" if listed else ""
    text = sentence("defects", wrong=wrong, pixels=mask.size, listed=listed, hot=hot)
    return text, str(found.attrs["found_from"])

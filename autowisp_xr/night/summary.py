"""What became of a night: a line for everything made, left out, or failed."""

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Made", "Summary"]


@dataclass(frozen=True, kw_only=True)
class Made:
    """One master, or one set of calibrated frames."""

    what: str
    inputs: tuple[str, ...]
    files: tuple[str, ...]
    group: str
    """In the Zarr store of the night."""
    notes: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Summary:
    """What became of each file of a night."""

    night: str
    made: list[Made] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Reason for each file that took no part."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reason for each file whose group could not be worked on."""

    def __str__(self) -> str:
        lines = [f"Night {self.night}", ""]
        for made in self.made:
            frames, files = _counted(made.inputs, "frame"), _counted(made.files, "file")
            lines.append(f"{made.what}: from {frames}, {files}")
            lines += [f"    {path}" for path in made.files]
            lines += [f"    note: {note}" for note in made.notes]
        if not self.made:
            lines.append("Nothing could be made.")
        for title, reasons in (("Left out", self.left_out), ("Failed", self.failed)):
            lines += ["", f"{title}: {len(reasons) or 'none'}"]
            for reason in dict.fromkeys(reasons.values()):
                lines.append(f"    {reason}")
                lines += [f"        {Path(p).name}" for p, r in reasons.items() if r == reason]
        return "\n".join(lines) + "\n"


def _counted(things: tuple[str, ...], name: str) -> str:
    return f"{len(things)} {name}" + ("" if len(things) == 1 else "s")

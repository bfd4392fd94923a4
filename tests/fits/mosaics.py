"""Files of several amplifiers, in the manners of observatories, and the frames that they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr import Amplifier, Camera
from autowisp_xr.regions import Region

__all__ = ["STYLES", "Amp", "Style"]

STRIP = 6


def section(x1: int, x2: int, y1: int, y2: int, flips: Sequence[bool] = (False, False)) -> str:
    """Of half-open pixel numbers from zero; reversed along x, along y."""
    x = (x2, x1 + 1) if flips[0] else (x1 + 1, x2)
    y = (y2, y1 + 1) if flips[1] else (y1 + 1, y2)
    return f"[{x[0]}:{x[1]},{y[0]}:{y[1]}]"


@dataclass(frozen=True)
class Amp:
    """An amplifier: pixels of the detector, in binned pixels, and how it reads them."""

    xmin: int
    xmax: int
    ymin: int
    ymax: int
    gain: float
    read_noise: float
    level: float
    flip_x: bool = False
    flip_y: bool = False
    left: bool = False
    """Whether the overscan is stored left of the pixels."""
    above: int = 0
    """Rows of overscan that are stored above them."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.ymax - self.ymin, self.xmax - self.xmin


@dataclass(frozen=True)
class Style:
    """A camera of several amplifiers, and what an observatory writes of each."""

    name: str
    amps: tuple[Amp, ...]
    cards: Callable[["Style", int], Mapping[str, Any]]
    binning: int = 1
    corner: tuple[int, int] = (0, 0)
    """Of the window on the detector, x and y, in binned pixels."""
    suffix: str = ".fits"
    primary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        return max(a.ymax for a in self.amps), max(a.xmax for a in self.amps)

    def sections(self, number: int) -> dict[str, str]:
        """DATASEC, BIASSEC, ABOVE and DETSEC of an amplifier."""
        amp = self.amps[number]
        height, width = amp.shape
        shift = STRIP if amp.left else 0
        strip = (0, STRIP) if amp.left else (width, width + STRIP)
        x, y = self.corner
        step = self.binning
        return {
            "DATASEC": section(shift, shift + width, 0, height),
            "BIASSEC": section(*strip, 0, height),
            "ABOVE": section(shift, shift + width, height, height + amp.above),
            "DETSEC": section(
                *((x + end) * step for end in (amp.xmin, amp.xmax)),
                *((y + end) * step for end in (amp.ymin, amp.ymax)),
                (amp.flip_x, amp.flip_y),
            ),
        }

    def read(
        self, rng: np.random.Generator, electrons: Any
    ) -> tuple[list[Any], np.ndarray[Any, Any], Camera]:
        """Stored images of electrons (y, x), the one frame that they are, and its camera."""
        height, width = self.shape
        strips = len(self.amps) * STRIP
        above = sum(amp.above for amp in self.amps)
        frame = np.zeros((height + above, width + strips), np.uint16)
        stored, amplifiers = [], []
        x, y = width, height
        for amp in self.amps:
            rows, columns = amp.shape
            lit = np.zeros((rows + amp.above, columns + STRIP))
            lit[:rows, :columns] = electrons[amp.ymin : amp.ymax, amp.xmin : amp.xmax]
            noisy = rng.poisson(lit) + rng.normal(0, amp.read_noise, lit.shape)
            adu = np.rint(amp.level + noisy / amp.gain).astype(np.uint16)
            frame[amp.ymin : amp.ymax, amp.xmin : amp.xmax] = adu[:rows, :columns]
            frame[amp.ymin : amp.ymax, x : x + STRIP] = adu[:rows, columns:]
            frame[y : y + amp.above, amp.xmin : amp.xmax] = adu[rows:, :columns]
            own = [Region(xmin=x, xmax=x + STRIP, ymin=amp.ymin, ymax=amp.ymax)]
            if amp.above:
                own.append(Region(xmin=amp.xmin, xmax=amp.xmax, ymin=y, ymax=y + amp.above))
            amplifiers.append(
                Amplifier(
                    region=Region(xmin=amp.xmin, xmax=amp.xmax, ymin=amp.ymin, ymax=amp.ymax),
                    overscan=own,
                    gain=amp.gain,
                    read_noise=amp.read_noise,
                )
            )
            x, y = x + STRIP, y + amp.above
            stored.append(_as_read(adu, rows, columns, amp))
        area = Region(xmin=0, xmax=width, ymin=0, ymax=height)
        return stored, frame, Camera(amplifiers=amplifiers, image_area=area)

    def write(self, path: Any, stored: Sequence[Any], **cards: Any) -> None:
        """One file of the stored images, with cards of the frame in the primary HDU."""
        hdus: list[Any] = [fits.PrimaryHDU()]
        hdus[0].header.update({**self.primary, **cards})
        kind = fits.CompImageHDU if self.suffix.endswith(".fz") else fits.ImageHDU
        for number, pixels in enumerate(stored):
            hdu = kind(pixels)
            hdu.header.update(self.cards(self, number))
            hdus.append(hdu)
        fits.HDUList(hdus).writeto(path)


def _as_read(adu: Any, rows: int, columns: int, amp: Amp) -> Any:
    """An amplifier reads from its own corner; its overscan comes after (or before) each row."""
    lit, strip, above, corner = (
        part[:: -1 if amp.flip_y else 1, :: -1 if amp.flip_x else 1]
        for part in (
            adu[:rows, :columns],
            adu[:rows, columns:],
            adu[rows:, :columns],
            adu[rows:, columns:],
        )
    )
    sides = [[strip, lit], [corner, above]] if amp.left else [[lit, strip], [above, corner]]
    return np.block(sides)


def _gmos(style: Style, number: int) -> dict[str, Any]:
    amp, stated = style.amps[number], style.sections(number)
    chip = style.amps[number // 4 * 4]
    return {
        "EXTNAME": "SCI" if number % 2 else "",
        "CCDNAME": f"EEV-{number // 4}",
        "CCDSUM": f"{style.binning} {style.binning}",
        "DETSEC": stated["DETSEC"],
        "CCDSEC": section(
            *((end - chip.xmin) * style.binning for end in (amp.xmin, amp.xmax)),
            *(end * style.binning for end in (amp.ymin, amp.ymax)),
        ),
        "DATASEC": stated["DATASEC"],
        "BIASSEC": stated["BIASSEC"],
        "GAIN": amp.gain,
        "RDNOISE": amp.read_noise,
    }


def _lco(style: Style, number: int) -> dict[str, Any]:
    amp, stated = style.amps[number], style.sections(number)
    return {
        "EXTNAME": "SCI",
        "EXTVER": number + 1,
        "DETSIZE": section(0, style.shape[1], 0, style.shape[0]),
        "DETSEC": stated["DETSEC"],
        "DATASEC": stated["DATASEC"],
        "TRIMSEC": stated["DATASEC"],
        "BIASSEC": stated["BIASSEC"],
        "GAIN": amp.gain,
        "RDNOISE": amp.read_noise,
        "SATURATE": 50000 + number,
    }


def _wht(style: Style, number: int) -> dict[str, Any]:
    amp, stated = style.amps[number], style.sections(number)
    return {
        "CCDSEC": stated["DETSEC"],
        "TRIMSEC": stated["DATASEC"],
        "BIASSEC": stated["BIASSEC"].replace(",", " , "),
        "GAIN": amp.gain,
        "READNOIS": amp.read_noise,
        "CCDXBIN": 1,
        "CCDYBIN": 1,
    }


def _noirlab(style: Style, number: int) -> dict[str, Any]:
    amp, stated = style.amps[number], style.sections(number)
    return {
        "EXTNAME": f"im{number + 1}",
        "CCDNAME": f"SN{number // 2}",
        "DETSEC": stated["DETSEC"],
        "DATASEC": stated["DATASEC"],
        "TRIMSEC": stated["DATASEC"],
        "BIASSEC": stated["BIASSEC"],
        **({"BIASSEC2": stated["ABOVE"]} if amp.above else {}),
        "CCDSEC": stated["DATASEC"],
        "LTV1": 0.0,
        "LTV2": 0.0,
        "GAIN": amp.gain,
        "RDNOISE": amp.read_noise,
        "CRPIX1": 100.0 * number,
        "CTYPE1": "RA---TAN",
    }


def _row(number: int, width: int, height: int, **more: Any) -> tuple[Amp, ...]:
    """Amplifiers side by side, each with numbers of its own."""
    return tuple(
        Amp(
            i * width, (i + 1) * width, 0, height, 1.0 + 0.1 * i, 4.0 + i % 3, 300.0 + 40 * i,
            left=bool(i % 2), **more,
        )
        for i in range(number)
    )  # fmt: skip


STYLES = {
    style.name: style
    for style in (
        Style("gmos", _row(12, 5, 14), _gmos, binning=2),
        Style(
            "lco",
            (
                Amp(0, 11, 0, 9, 1.0, 5.0, 500.0),
                Amp(11, 22, 0, 9, 1.4, 6.0, 600.0, flip_x=True),
                Amp(11, 22, 9, 18, 1.9, 7.0, 800.0, flip_x=True, flip_y=True),
                Amp(0, 11, 9, 18, 0.7, 5.5, 350.0, flip_y=True),
            ),
            _lco,
            suffix=".fits.fz",
        ),
        # a window, and the right half first
        Style("wht", _row(2, 12, 17)[::-1], _wht, corner=(100, 31)),
        Style(
            "noirlab",
            (
                Amp(0, 9, 0, 16, 1.1, 5.0, 700.0, above=5),
                Amp(9, 18, 0, 16, 1.2, 6.0, 720.0, above=5, flip_x=True),
                Amp(18, 27, 0, 16, 2.0, 7.0, 540.0, left=True, above=4, flip_y=True),
                Amp(27, 36, 0, 16, 2.3, 4.0, 610.0, left=True, above=4, flip_x=True, flip_y=True),
            ),
            _noirlab,
            suffix=".fits.gz",
        ),
    )
}

"""Kinds of frames that are fuzzed, in FITS files and in stores."""

import bz2
import contextlib
import gzip
import json
import os
import random
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.fits.image_cards import history_cards
from autowisp_xr.fits.layout import read_layout
from tests.fits import corpus
from tests.fuzz.kind import Kind
from tests.fuzz.mutations import damaged, otherwise, with_other_cards

SHAPE = (10, 12)


class FitsFiles(Kind):
    """FITS files, plain and packed, of damaged bytes and of cards with other values."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        header = fits.Header(
            {"IMAGETYP": "LIGHT", "EXPTIME": 60.0, "DATE-OBS": "2024-03-01T21:00:00.000",
             "FILTER": "V", "GAIN": 100, "CCD-TEMP": -10.0, "XBINNING": 1}
        )  # fmt: skip
        pixels = (1000 + np.random.default_rng(1).poisson(500, SHAPE)).astype("u2")
        entries = [e for e in corpus.entries(header, pixels) if not e.refused]
        self.contents = sorted({entry.content for entry in entries if len(entry.content) < 50_000})
        self.path = folder / "a.fits"

    def make(self, rng: random.Random) -> bytes:
        """Return the bytes of a file."""
        content = rng.choice(self.contents)
        packed = content[:2] == b"\x1f\x8b"
        if packed and rng.random() < 0.7:
            with contextlib.suppress(Exception):
                content, packed = gzip.decompress(content), False
        change = damaged if packed or rng.random() < 0.4 else with_other_cards
        content = change(content, rng)
        match rng.randrange(12):
            case 0:
                return gzip.compress(content, 1)
            case 1:
                return bz2.compress(content, 1)
            case 2:
                return damaged(gzip.compress(content, 1), rng)
        return content

    def take(self, thing: bytes) -> str:
        """Open a file and read its pixels."""
        # another inode each time: what is kept of a file is kept by size and time of change
        self.path.unlink(missing_ok=True)
        self.path.write_bytes(thing)
        frame = aw.open_fits(self.path)
        pixels = frame.image.values
        band = frame.image.isel(y=slice(1, 4)).values
        if not np.array_equal(band, pixels[:, :, 1:4], equal_nan=pixels.dtype.kind == "f"):
            return "rows 1 to 3 are others if they are read alone"
        if frame.sizes["channel"] > 1:
            return ""
        plane = read_layout(str(self.path)).planes["image"]
        theirs = self._by_astropy(plane.index)
        if theirs is None or theirs.size != pixels.size or theirs.dtype.kind not in "iuf":
            return ""
        with np.errstate(all="ignore"):
            theirs = theirs.reshape(pixels.shape).astype(pixels.dtype)
        # astropy scales in float32, and rounds twice
        same = np.allclose(pixels, theirs, rtol=1e-6, atol=0, equal_nan=True)
        return "" if same else f"astropy reads other pixels of HDU {plane.index}"

    def _by_astropy(self, index: int) -> Any:
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(self.path, memmap=False) as hdus:
                return np.array(hdus[index].data)
        return None


class Headers(Kind):
    """Headers of lights with odd cards: all that is made of them, to calibrated frames in files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        sky = aw.simulate.Night(shape=SHAPE, seed=2, overscan=0)
        sky.objects(2).autowisp.to_fits(folder / "{RAWFNAME}.fits")
        self.paths = sorted(folder.glob("*.fits"))
        self.content = self.paths[0].read_bytes()
        self.camera = sky.camera
        self.take(self.content)

    def make(self, rng: random.Random) -> bytes:
        """Return a file with another header."""
        content = self.content
        for _ in range(rng.choice((1, 2, 5))):
            content = with_other_cards(content, rng)
        return content

    def take(self, thing: bytes) -> str:
        """Calibrate it with a good frame, and write both."""
        self.paths[0].unlink()
        self.paths[0].write_bytes(thing)
        frames = aw.open_fits(self.paths, on_error="skip")
        made = aw.calibrate(frames, camera=self.camera)
        made.autowisp.to_fits(self.folder / "out" / "{frame}.fits", overwrite=True)
        aw.stack(made).load()
        return ""


class Histories(Kind):
    """Calibrated files whose HISTORY holds records of which a part is another."""

    odd: ClassVar[Sequence[str]] = (
        *("[" * 6000, "[1, 2]", "[{}]", "[[]]", "[null]", '["a"]', "{}", "3", '[{"verb": 3}]'),
        *("[" * 900 + "]" * 900, '[{"verb": "stack", "options": {}, "masters": "x"}]', "9" * 5000),
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        sky = aw.simulate.Night(shape=SHAPE, seed=2, overscan=0)
        bias = aw.master_bias(sky.bias(3))
        made = aw.calibrate(sky.objects(2), bias=bias, camera=sky.camera)
        self.paths = made.autowisp.to_fits(folder / "{frame}.fits")
        with fits.open(self.paths[0], memmap=False) as hdus:
            self.hdus = [(hdu.data.copy(), hdu.header.copy()) for hdu in hdus]
        self.records = json.loads(read_layout(self.paths[0]).history)

    def make(self, rng: random.Random) -> str:
        """Return the text of a history."""
        if rng.random() < 0.1:
            return rng.choice(self.odd)
        return json.dumps(otherwise(self.records, rng))

    def take(self, thing: str) -> str:
        """Open the file with a good one, write and stack both."""
        (pixels, header), *others = self.hdus
        header = header.copy()
        header.remove("HISTORY", remove_all=True)
        for card in history_cards(thing):
            header.add_history(card)
        companions = [fits.ImageHDU(*other) for other in others]
        os.unlink(self.paths[0])
        Path(self.paths[0]).write_bytes(
            corpus.content_of(fits.PrimaryHDU(pixels, header), *companions)
        )
        frames = aw.open_fits(self.paths)
        frames.autowisp.to_fits(self.folder / "out" / "{frame}.fits", overwrite=True)
        stacked = aw.stack(frames).load()
        same = np.array_equal(frames.image.values[0, 0], pixels, equal_nan=True)
        return "" if same and stacked.sizes["y"] == SHAPE[0] else "the pixels are others"


class Stores(Kind):
    """Stores of a night of which a file is damaged: metadata, records and recipes, chunks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        sky = aw.simulate.Night(shape=SHAPE, seed=2, overscan=0)
        raw = sky.objects(2)
        made = aw.calibrate(raw, bias=aw.master_bias(sky.bias(3)), camera=sky.camera)
        self.stores = []
        for name, frames in (("raw", raw), ("made", made)):
            frames.autowisp.to_zarr(folder / f"{name}.zarr")
            self.stores.append(folder / f"{name}.zarr")
        self.truth = {store: aw.open_zarr(store).load() for store in self.stores}
        self.files = {
            store: sorted(path for path in store.rglob("*") if path.is_file())
            for store in self.stores
        }

    def make(self, rng: random.Random) -> tuple[Path, Path, bytes]:
        """Return a store, a file in it and what this holds."""
        store = rng.choice(self.stores)
        path = rng.choice(
            [p for p in self.files[store] if p.name == "zarr.json" or rng.random() < 0.5]
        )
        content = path.read_bytes()
        if path.name == "zarr.json" and rng.random() < 0.8:
            return store, path, json.dumps(otherwise(json.loads(content), rng)).encode()
        return store, path, damaged(content, rng)

    def take(self, thing: tuple[Path, Path, bytes]) -> str:
        """Open the store and read it; nothing may differ that is not flagged."""
        store, path, content = thing
        before = path.read_bytes()
        path.write_bytes(content)
        try:
            found = aw.open_zarr(store).load()
        finally:
            path.write_bytes(before)
        true = self.truth[store]
        if path.name == "zarr.json":
            return ""
        for name in ("image", "variance", "mask"):
            if name in true and not found[name].equals(true[name]):
                return f"{path.relative_to(store)}: {name} has other pixels"
        return ""

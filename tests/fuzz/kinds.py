"""What is fuzzed: each kind makes one odd thing after another, and lets the package take it."""

import bz2
import contextlib
import gzip
import io
import json
import os
import random
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.cli import main
from autowisp_xr.cli.program import _parse
from autowisp_xr.cli.reduce import of_frames
from autowisp_xr.cli.settings import resolve
from autowisp_xr.expressions import evaluate
from autowisp_xr.fits.image_cards import history_cards
from autowisp_xr.fits.layout import read_layout
from tests.fits import corpus
from tests.fuzz.mutations import NUMBERS, damaged, garbled, in_words, with_other_cards

SHAPE = (10, 12)


class Kind:
    """One kind of input."""

    allowed: ClassVar[tuple[type[Exception], ...]] = (aw.AutowispError,)
    """Errors that may come out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def make(self, rng: random.Random) -> Any:
        """Make an odd thing."""

    @abstractmethod
    def take(self, thing: Any) -> str:
        """Let the package take it; what is wrong with the result, "" if nothing."""


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
        return json.dumps(_otherwise(self.records, rng))

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


class Tomls(Kind):
    """Files of a camera, limits of flats, settings with aliases and types."""

    words: ClassVar[Sequence[str]] = (
        *NUMBERS, "9" * 400, "9" * 5000, "1e400", "-inf", "nan", "true", "[]", "{}", "[[]]", '""',
        "[" * 300, "[" * 3000 + "]" * 3000, "{a = " * 200, '"[1:5,1:5]"', '"[0:0]"', '"\\u0000"',
        '["a", 1]', "{R = 1.0}", "{R = {G = 1}}", "2024-01-01", "07:32:00", "[1, [2, [3]]]",
        "[[a]]", "[camera]", "[aliases]", "[types]", "a.b.c = 1", "'''", "0xff", "1e-400",
        "{xmin = 1, xmax = 2, ymin = -1, ymax = 1e300}", "[0.5, 1.5]", '"none"', "99999999999999",
    )  # fmt: skip
    texts: ClassVar[Mapping[str, str]] = {
        "camera": 'gain = 1.5\nread_noise = {R = 1.0, G = 2}\nsaturation = 60000\n'
        'image_area = "[9:56,1:40]"\noverscan = ["[1:8,1:40]"]\nbias_level = 0\n'
        'channels = {R = [[0, 2], [0, 2]], G = "[1::2,0::2]"}\nleak_directions = [[1, 0]]\n'
        "linearity = [0.0, 1e-6]\ncrosstalk = {}\namplifiers = []\ndefects = 'a.fits'\n",
        "flats": "fraction = 0.5\nmax_saturated_fraction = 0.1\nmin_high_mean = [1, 2]\n"
        'cloudy_night_threshold = "none"\nvar_mean_fit_iterations = 3\n',
        "settings": 'gain = 1.5\nread-noise = "3"\nscale_dark = "no"\ntemperature-tolerance = 2\n'
        '[reduce]\nstore = true\nhdu = 1\n[camera]\ngain = 2\n[types]\n"*flat*" = "flat"\n'
        '[aliases]\nexposure = ["EXPO_S"]\nimage_types = {sky = "flat"}\nfilter = "FILTNAM"\n',
    }  # fmt: skip

    def make(self, rng: random.Random) -> tuple[str, bytes]:
        """Return which file it is, and its bytes."""
        name = rng.choice(list(self.texts))
        text = self.texts[name]
        for _ in range(rng.choice((1, 1, 2, 4))):
            text = rng.choice((garbled, in_words, in_words))(text, rng, self.words)
        content = text.encode()
        return name, damaged(content, rng) if rng.random() < 0.1 else content

    def take(self, thing: tuple[str, bytes]) -> str:
        """Read the file as what it is."""
        name, content = thing
        path = self.folder / "a.toml"
        path.write_bytes(content)
        if name == "camera":
            camera = aw.Camera.from_toml(path)
            (self.folder / "b.toml").write_text(camera.to_toml(), encoding="utf-8")
            if aw.Camera.from_toml(self.folder / "b.toml") != camera:
                return "the camera is another once it was written and read"
        elif name == "flats":
            aw.FlatSelection.from_toml(path)
        else:
            command, values = _parse(["info", "raw", "--config-file", str(path)])
            of_frames(resolve(command, values))
        return ""


class Options(Kind):
    """Command lines, of a folder with a file that is none."""

    # the system's own words about a file, which the program prints as they are
    allowed = (aw.AutowispError, OSError)

    words: ClassVar[Sequence[str]] = (
        *NUMBERS, "9" * 400, "none", "all", "raw", "raw/a.fits", "no/such", ".", "/", "/dev/null",
        "/dev/full", "a.toml", "1,2", "-1,0", "1:5", "[1:5,1:5]", "x=y", "*flat*=flat", "a=b=c",
        "R=1", "median", "quantile:2", "quantile:", "V", "~", "~nobody", "\n", "\x00", "\udcff",
        "{}", "{x}", "{RAWFNAME}", "{OBJECT:>99999999}", "EXPTIME > 1", "True", "'", "=", "--",
        "é", "1e9GB", "-5GB", "0", "1 GB", "tcp://", "s3://a/b", "memory://", "file:///dev/null",
        "[", "(" * 200,
    )  # fmt: skip
    commands: ClassVar[Sequence[str]] = (
        *("info", "info", "info", "reduce", "camera", "verify", "report", "calibrate", "stack"),
        *("flat", "run", "completion", "nothing"),
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from autowisp_xr.cli.options import commands

        self.names = {
            name: [one for option in command.options for one in option.names if one[0] == "-"]
            for name, command in commands().items()
        }
        self.start = os.getcwd()

    def make(self, rng: random.Random) -> list[str]:
        """Return arguments."""
        command = rng.choice(self.commands)
        names = [n for n in self.names.get(command, []) if n not in ("-h", "--help", "--watch")]
        given = ["raw"] if rng.random() < 0.6 else [rng.choice(self.words)]
        if command == "reduce":
            given += ["-o", "out" if rng.random() < 0.7 else rng.choice(self.words), "--dry-run"]
        for _ in range(rng.choice((0, 1, 1, 2, 3))):
            given += [
                rng.choice([*names, "-x"]),
                *rng.choices(self.words, k=rng.choice((0, 1, 1, 1, 2))),
            ]
        return ["--debug", command, *given]

    def take(self, thing: list[str]) -> str:
        """Run the program."""
        os.chdir(self.folder)
        raw = self.folder / "raw"
        if not raw.exists():
            raw.mkdir()
            (raw / "a.fits").write_bytes(b"SIMPLE  =".ljust(100))
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                main(thing)
        except SystemExit as end:
            return "" if end.code in (0, 2) else f"it ends with {end.code!r}"
        finally:
            os.chdir(self.start)
        return ""


class Expressions(Kind):
    """Expressions over a header, of its own grammar and of damaged texts."""

    header: ClassVar[Mapping[str, Any]] = {
        "EXPTIME": 30.0, "DATE-OBS": "2024-03-01", "N": 64, "OBJECT": "HAT P 32", "OK": True,
        "LONG": "a%s{x}" * 600, "BIG": 10**60, "LIST": [1, 2.5, "c"], "NAN": float("nan"),
    }  # fmt: skip
    atoms: ClassVar[Sequence[str]] = (
        *("EXPTIME", "DATE_OBS", "N", "OBJECT", "OK", "LONG", "BIG", "LIST", "NAN", "pi", "inf"),
        *(
            "1",
            "0",
            "-1",
            "9**9",
            "1e308",
            "4096",
            "10**9",
            "'a'",
            "''",
            "'%d'",
            "'%9999d'",
            "None",
        ),
        *(
            "[]",
            "[1, 2]",
            "()",
            "{}",
            "{'a': 1}",
            "True",
            "1j",
            "b''",
            "...",
            "nosuch",
            "len",
            "str",
        ),
        *("'{}'", "f'{N}'", "f'{N:>999}'", "f'{N:{N}}'", "f'{OBJECT!r}'", "'a' 'b'", "0x1p3"),
    )
    operators: ClassVar[Sequence[str]] = (
        *("+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^", "<", "==", "!=", "in"),
        *("not in", "is", "and", "or", "@", "if OK else", ",", ":="),
    )
    methods: ClassVar[Sequence[str]] = (
        *(
            "replace",
            "join",
            "ljust",
            "zfill",
            "center",
            "split",
            "count",
            "format",
            "index",
            "get",
        ),
        *("__class__", "encode", "expandtabs", "translate", "strip", "find", "append", "real"),
    )
    functions: ClassVar[Sequence[str]] = (
        *(
            "int",
            "float",
            "str",
            "len",
            "max",
            "min",
            "round",
            "sqrt",
            "sorted",
            "sum",
            "pow",
            "log",
        ),
        *("abs", "tuple", "list", "chr", "ord", "bool", "open", "eval", "hypot", "exp", "any"),
    )

    def make(self, rng: random.Random) -> str:
        """Return an expression."""
        text = self._expression(rng, rng.choice((1, 2, 3, 5)))
        if rng.random() < 0.3:
            text = garbled(text, rng, [*self.atoms, *self.operators, "(", ")", "[", "]", "'"])
        if rng.random() < 0.02:
            text = rng.choice(("(", "[", "-", "not ", "f'{", "{1:", "lambda:", "1+", "'a'+"))
            text *= rng.choice((100, 1000, 2000))
        return text

    def _expression(self, rng: random.Random, depth: int) -> str:
        if not depth:
            return rng.choice(self.atoms)

        def one() -> str:
            return self._expression(rng, rng.randrange(depth))

        match rng.randrange(6):
            case 0:
                arguments = ", ".join(one() for _ in range(rng.randrange(3)))
                return f"{rng.choice(self.functions)}({arguments})"
            case 1:
                return f"({one()}).{rng.choice(self.methods)}({one()}, {one()})"
            case 2:
                return f"({one()}).{rng.choice(self.methods)}({one()})"
            case 3:
                return f"({one()})[{rng.choice((one(), f'{one()}:{one()}', '::-1'))}]"
        return f"({one()}) {rng.choice(self.operators)} ({one()})"

    def take(self, thing: str) -> str:
        """Evaluate it."""
        value = evaluate(thing, self.header)
        return "" if len(repr(value)) < 40_000 else "the value is huge"


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
            return store, path, json.dumps(_otherwise(json.loads(content), rng)).encode()
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


def _otherwise(value: Any, rng: random.Random) -> Any:
    """Return a value of JSON of which one part is another."""
    odd = [None, True, -1, 0, 10**30, 1e308, "", "a", "[1:5]", [], {}, [[]], {"a": 1}, "9" * 400]
    if isinstance(value, str) and value[:1] in ("{", "[") and rng.random() < 0.9:
        with contextlib.suppress(ValueError):
            return json.dumps(_otherwise(json.loads(value), rng))
    if not value or not isinstance(value, dict | list) or rng.random() < 0.1:
        return rng.choice(odd)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = rng.choice(keys)
    changed = value.copy()
    if rng.random() < 0.1:
        del changed[key]
    else:
        changed[key] = _otherwise(value[key], rng)
    return changed


KINDS: Mapping[str, tuple[type[Kind], int]] = {
    "fits": (FitsFiles, 10),
    "headers": (Headers, 1),
    "histories": (Histories, 1),
    "toml": (Tomls, 10),
    "options": (Options, 4),
    "expressions": (Expressions, 20),
    "stores": (Stores, 2),
}
"""Each kind with its share of the cases."""

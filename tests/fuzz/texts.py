"""Kinds of texts of users that are fuzzed: TOML, command lines, expressions."""

import contextlib
import io
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import autowisp_xr as aw
from autowisp_xr.cli import main
from autowisp_xr.cli.program import _parse
from autowisp_xr.cli.reduce import of_frames
from autowisp_xr.cli.settings import resolve
from autowisp_xr.expressions import evaluate
from tests.fuzz.kind import Kind
from tests.fuzz.mutations import NUMBERS, damaged, garbled, in_words


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

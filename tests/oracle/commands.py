"""What is typed on a command line: expressions over headers, and the values of options."""

from typing import Any

import pytest

from autowisp_xr.cli import areas
from autowisp_xr.cli.values import OptionError
from autowisp_xr.errors import HeaderError
from autowisp_xr.expressions import evaluate
from tests.oracle.case import Case


def expressions(case: Case) -> None:
    header = case.params["header"]
    for entry in case.json("expected.json"):
        expression = entry["expression"]
        if entry.get("error"):
            with pytest.raises(HeaderError) as raised:
                evaluate(expression, header)
            case.compare(f"{expression} in the message", expression in str(raised.value), True)
        else:
            found = evaluate(expression, header)
            case.compare(expression, found, entry["value"])
            case.compare(f"type of {expression}", _kind(found), _kind(entry["value"]))


def cli(case: Case) -> None:
    for entry in case.json("expected.json"):
        text = entry["text"]
        what = f"{entry['kind']} {text}"
        parse = _PARSERS[entry.get("option", entry["kind"])]
        if entry.get("error"):
            with pytest.raises(OptionError) as raised:
                parse(text)
            case.compare(f"{what}: there is a message", str(raised.value) != "", True)
        elif entry["kind"] == "overscan":
            found = parse(text)
            method = found["method"]
            case.compare(f"{what}: method", method and type(method).__name__, entry["method"])
            case.compare(f"{what}: areas", found["areas"], entry["areas"])
        else:
            case.compare(what, parse(text), entry["value"])


def _channels(texts: list[str]) -> dict[str, Any]:
    return {
        name: {"y": [y.start, y.step], "x": [x.start, x.step]}
        for name, (y, x) in areas.channels(texts).items()
    }


def _file(texts: list[str]) -> Any:
    return areas.per_channel(texts, str)


def _files(texts: list[str]) -> Any:
    return areas.per_channel(texts, str, several=True)


_PARSERS: dict[str, Any] = {
    "area": areas.area,
    "overscan": areas.overscans,
    "channels": _channels,
    "--raw-hdu": areas.hdus,
    "--master-bias": _file,
    "--master-mask": _files,
}


def _kind(value: Any) -> str:
    return "number" if isinstance(value, float) else type(value).__name__

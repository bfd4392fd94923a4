"""Print how many lines of code each room of the package has: ``python -m tests.size [PACKAGE]``.

Blank lines, comments and docstrings do not count; only modules of Python do.
"""

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

_NO_CODE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


def lines_of_code(source: str) -> int:
    """How many lines of a module hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(ast.Constant(str())):
                lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def sizes(package: Path) -> Counter[str]:
    """Lines of code by room: a folder of the package, or a module beside them."""
    found: Counter[str] = Counter()
    for path in sorted(package.rglob("*.py")):
        found[path.relative_to(package).parts[0]] += lines_of_code(path.read_text("utf-8"))
    return found


def main() -> None:
    package = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "autowisp_xr")
    found = sizes(package)
    for room, number in found.most_common():
        print(f"{number:6} {room}")
    print(f"{found.total():6} in all")


if __name__ == "__main__":
    main()

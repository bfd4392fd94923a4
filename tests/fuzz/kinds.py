"""What is fuzzed: each kind makes one odd thing after another, and lets the package take it."""

from collections.abc import Mapping

from tests.fuzz.frames import FitsFiles, Headers, Histories, Stores
from tests.fuzz.kind import Kind
from tests.fuzz.texts import Expressions, Options, Tomls

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

"""What says which type a frame is of: a rule of the user, a card, or the name of its file."""

from collections.abc import Iterable
from dataclasses import dataclass

from astropy.io import fits

from autowisp_xr.frames.type_names import NamedType, named_type
from autowisp_xr.frames.type_rules import TypeRule, rule_for
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.coordinates import TypeCard, type_card
from autowisp_xr.headers.values import Cards


@dataclass(frozen=True)
class Evidence:
    """All that says what a frame is; a rule is stronger than a card, a card than a name."""

    rule: TypeRule | None
    card: TypeCard | None
    """None also where there is a rule: then cards are not asked, and may contradict each other."""
    name: NamedType | None

    @property
    def kind(self) -> str:
        """bias, dark, flat, object or other."""
        strongest = self.rule or self.card or self.name
        return "other" if strongest is None else strongest.kind

    @property
    def is_guess(self) -> bool:
        """Whether it is the name that decides."""
        return self.rule is None and self.card is None and self.name is not None


def evidence_of(
    path: str, header: fits.Header, aliases: KeywordAliases, rules: Iterable[TypeRule]
) -> Evidence:
    """What says the type of the frame in a file.

    Raises
    ------
    HeaderError
        If two cards contradict each other, and no rule decides.
    """
    rule = rule_for(rules, path, header)
    card = None if rule else type_card(Cards(header, aliases))
    return Evidence(rule, card, named_type(path))

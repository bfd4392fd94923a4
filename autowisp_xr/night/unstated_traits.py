"""What frames or masters do not state: it is taken to fit, or doubtful where masters differ."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from autowisp_xr.night.choosing import Choices
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.summarised_lines import by_key, counted, named, plain


def doubts_on_unstated(choices: Mapping[str, Choices]) -> list[str]:
    """List what only some frames or their masters state, a line each.

    Parameters
    ----------
    choices
        The masters for each frame, by its path.
    """
    taken: Counter[tuple[str, tuple[str, ...]]] = Counter()
    undecided: dict[tuple[str, str, str, str, str], list[str]] = {}
    for path, of_frame in choices.items():
        made = [one for one in of_frame.values() if one.chosen]
        taken.update((one.chosen.name, one.unstated) for one in made if one.chosen and one.unstated)
        rivals = [(one.chosen.name, other) for one in made if one.chosen for other in one.undecided]
        for trait, pairs in by_key(rivals, lambda pair: pair[1].trait).items():
            masters = ", ".join(dict.fromkeys(name for name, _ in pairs))
            others = ", ".join(dict.fromkeys(other.candidate.name for _, other in pairs))
            first = pairs[0][1]
            card = first.candidate.traits.cards.get(trait) or plain(trait)
            key = card, masters, others, first.candidate.name, first.text
            undecided.setdefault(key, []).append(Path(path).name)
    lines = []
    for (card, masters, others, first_of, text), names in undecided.items():
        values = {"frames": named(names), "card": card, "first": first_of, "text": text}
        lines.append(sentence("masters_differ", **values, taken=masters, others=others))
    for (master, unstated), number in taken.items():
        frames, traits = counted(number, "frame"), ", ".join(map(plain, unstated))
        values = {"master": master, "frames": frames, "traits": traits, "trait": unstated[0]}
        lines.append(sentence("one_side_states", **values))
    return lines

"""What the steps of a history hold of single frames, and the identity of a frame by it.

A step that works frame by frame has the same record, and the same id, whatever frames are in the
set; what differs between them stands in parts of the record by frame: the files that were read
("inputs"), what a frame was when its history began ("contents"), and what was done to it alone
("by_frame"). The identity of a frame is a digest of its last step and of these parts. A step that
makes one thing of many frames has their identities ("frames") in its own id, so that what stands
before it is that of the one thing.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Steps = list[dict[str, Any]]

_BY_NAME = ("contents", "by_frame")
_OF_FRAMES = ("inputs", *_BY_NAME)

_OF_SET = "of_set"
"""Part of a record that concerns the set alone, and no frame in it."""

_TABLES = ("masters", "contents", "by_frame", "of_set", "files", "frames", "versions")
_OF_TEXTS = ("masters", "frames", "contents")

_JOINED = "sets"
"""Part of the record of ``concat``: the histories of the sets, and the names of their frames."""


def digest(content: object) -> str:
    """Return a short digest of what JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def read_steps(text: str) -> Steps | None:
    """Return the records in the text of a history; None where it is none of ours, or damaged."""
    try:
        steps = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return steps if isinstance(steps, list) and all(map(_is_record, steps)) else None


def _is_record(step: object) -> bool:
    """Return whether a record has the form that whoever reads it counts on."""
    if not isinstance(step, dict):
        return False
    entries = [step.get("inputs", []), *_values(step.get("files", {}))]
    return (
        isinstance(step.get("verb"), str)
        and isinstance(step.get("options"), dict)
        and isinstance(step.get("id", ""), str)
        and all(isinstance(step.get(name, {}), dict) for name in _TABLES)
        and all(isinstance(one, str) for name in _OF_TEXTS for one in step.get(name, {}).values())
        and isinstance(entries[0], list)
        and all(_is_file(entry) for many in entries for entry in _values(many))
        and isinstance(step.get(_JOINED, []), list)
        and all(_is_joined(one) for one in step.get(_JOINED, ()))
    )


def _is_file(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    texts = (entry.get("path"), entry.get("frame", ""), entry.get("sha256", ""))
    return all(isinstance(one, str) for one in texts)


def _is_joined(joined: object) -> bool:
    if not isinstance(joined, dict) or not isinstance(joined.get("frames", []), list):
        return False
    steps = joined.get("history", [])
    return isinstance(steps, list) and all(map(_is_record, steps))


def _values(many: object) -> Iterable[object]:
    return many.values() if isinstance(many, dict) else many if isinstance(many, list) else [many]


class FrameRecords:
    """The records of a history by frame, each found without a look at those of others.

    Parameters
    ----------
    steps
        The history of frames, of a frame, or of a stack.
    """

    def __init__(self, steps: Iterable[Mapping[str, Any]]) -> None:
        self.steps = [dict(step) for step in steps]
        self._first = _first(self.steps)
        self._begin = max(_begin(self.steps), self._first)
        self._own: dict[str, dict[int, dict[str, Any]]] = {}
        self._name_of: dict[str, str] = {}
        for number, step in enumerate(self.steps[self._first :], self._first):
            for entry in step.get("inputs", ()):
                if "frame" in entry:
                    self._name_of[entry["path"]] = entry["frame"]
                    self._parts(entry["frame"], number).setdefault("inputs", []).append(entry)
            for part in _BY_NAME:
                for name, own in step.get(part, {}).items():
                    self._parts(name, number)[part] = {name: own}

    def _parts(self, name: str, number: int) -> dict[str, Any]:
        return self._own.setdefault(name, {}).setdefault(number, {})

    @property
    def names(self) -> list[str]:
        """The frames that are known by name; none of a stack."""
        return list(self._own)

    def _key(self, name: str, path: str) -> str | None:
        """Return the name by which a frame is known; None for one that is not."""
        if name in self._own:
            return name
        if path in self._name_of:
            return self._name_of[path]
        return next(iter(self._own)) if len(self._own) == 1 else None

    def of(self, name: str, path: str = "") -> Steps:
        """Return the history of one frame, by its name or by the file that it was read from.

        It is that of all frames where this one is not known.
        """
        key = self._key(name, path)
        if key is None:
            return self.steps
        own, steps = self._own[key], self.steps[: self._first]
        for number, step in enumerate(self.steps[self._first :], self._first):
            parts = dict(own.get(number, {}))
            shared = [entry for entry in step.get("inputs", ()) if "frame" not in entry]
            if shared:
                parts["inputs"] = [*shared, *parts.get("inputs", ())]
            if _JOINED in step:
                parts[_JOINED] = list(_cut(step[_JOINED], key))
            others = {*_OF_FRAMES, _OF_SET} - set(parts)
            steps.append({part: parts.get(part, step[part]) for part in step if part not in others})
        return steps

    def of_some(
        self, names: Sequence[str], paths: Sequence[str], called: Sequence[str] | None = None
    ) -> Steps:
        """Return the history of some of the frames, as a set has it; by other names, if given."""
        keys = [self._key(name, path) for name, path in zip(names, paths, strict=True)]
        known = [str(key) for key in keys if key is not None]
        if len(known) < len(keys):
            return self.steps
        return _renamed(self.steps, dict(zip(known, called or known, strict=True)))

    def identity(self, name: str = "", path: str = "") -> str:
        """Return the identity of a frame; without a name, of what the history as a whole is of."""
        last = str(self.steps[-1].get("id", ""))
        key = self._key(name, path)
        steps = self.steps if key is None else self.of(key)
        facts = [fact for step in steps[self._begin :] for fact in _facts(step)]
        if key is None and name and self._own:
            facts.append(name)
        return digest([last, facts]) if facts else last


def _first(steps: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of the first step of which the parts by frame are those of the result."""
    gathered = [number for number, step in enumerate(steps) if "frames" in step]
    return gathered[-1] + 1 if gathered else 0


def first_id(step: Mapping[str, Any]) -> str:
    """Return the id of a step that follows from no other."""
    return digest(["", {part: step[part] for part in ("verb", "options", "masters")}])


def _begin(steps: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of the step at which frames were read that begin with it."""
    for number in range(len(steps) - 1, 0, -1):
        if steps[number].get("inputs") and steps[number]["id"] == first_id(steps[number]):
            return number
    return 0


def _facts(step: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what a step holds of frames; neither their names, which depend on others in the set."""
    for file in step.get("inputs", ()):
        yield [file["path"], file["size"], file["changed"]]
    for part in _BY_NAME:
        yield from step.get(part, {}).values()


def _cut(sets: Iterable[Mapping[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    """Yield of joined sets the one that has a frame, with the history of this frame alone."""
    for one in sets:
        if name in one["frames"]:
            history = FrameRecords(one["history"]).of(name)
            yield {**one, "frames": [name], "history": history}


def _renamed(steps: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> Steps:
    """Return steps of the named frames alone, by other names; those in a stack stay."""
    known = [dict(step) for step in steps]
    for step in known[_first(known) :]:
        for part in {*_BY_NAME} & set(step):
            step[part] = {names[name]: one for name, one in step[part].items() if name in names}
        if "inputs" in step:
            step["inputs"] = [
                entry | {"frame": names[entry["frame"]]} if "frame" in entry else entry
                for entry in step["inputs"]
                if "frame" not in entry or entry["frame"] in names
            ]
    return known


def united(histories: Iterable[tuple[str, Steps]]) -> Steps | None:
    """Return the history that frames have in common, given the name and the history of each.

    It is None where they went through different steps. A frame may come several times, with files
    of its own.
    """
    result: Steps | None = None
    own: list[dict[str, dict[Any, Any]]] = []
    for name, steps in histories:
        known = FrameRecords(steps).names
        here = _renamed(steps, {one: name if len(known) == 1 else one for one in known})
        if result is None:
            result, own = here, [{} for _ in here]
        if [step.get("id") for step in here] != [step.get("id") for step in result]:
            return None
        for parts, step in zip(own, here, strict=True):
            for entry in step.get("inputs", ()):
                parts.setdefault("inputs", {}).setdefault(
                    (entry.get("frame"), entry["path"]), entry
                )
            for part in {*_BY_NAME} & set(step):
                parts.setdefault(part, {}).update(step[part])
    for step, parts in zip(result or (), own, strict=True):
        step.update({part: found for part, found in parts.items() if part != "inputs"})
        if "inputs" in parts:
            step["inputs"] = list(parts["inputs"].values())
    return result

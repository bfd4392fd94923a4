"""The short text of a summary, its verdict, and the exit status."""

import json
from pathlib import Path

import pytest

import autowisp_xr as aw
from autowisp_xr.frames import FileRecord
from autowisp_xr.matching.traits import Traits
from autowisp_xr.night.choosing import Choice
from autowisp_xr.night.frame_sets import FrameSet
from autowisp_xr.night.listing import info
from autowisp_xr.night.plan import Plan
from autowisp_xr.night.sentences import alike, in_few_words, named, shortened
from autowisp_xr.night.summary import Made, Summary
from tests.night.reducing import reduce

TYPES = {"light": "object", "bias": "bias", "dark": "dark", "flat": "flat"}


def record(name, **more):
    """A file whose type is the first word of its name."""
    kind = next((kind for word, kind in TYPES.items() if name.startswith(word)), "other")
    return FileRecord(path=f"/night/{name}.fits", coordinates={"image_type": kind}, **more)


def summary_of(records, copies=(), **more):
    return Summary(plan=Plan(night="n", records=records, copies=copies), **more)


def made(kind, records, name=None, missing=(), **more):
    """What was made of frames of a kind, for lack of some masters."""
    frames = FrameSet(name=name or kind, place="", traits=Traits(kind=kind), records=tuple(records))
    choices = {kind: Choice() for kind in missing}
    paths = tuple(one.path for one in records)
    return Made(
        frames=frames,
        choices_of={paths[0]: choices},
        stopped="",
        inputs=paths,
        files=(f"out/masters/{kind}.fits",),
        **more,
    )


def calibrated(records, **more):
    return made("object", records, name="V_60s", **more)


def numbered(word, number):
    return [record(f"{word}-{i:04d}") for i in range(number)]


def test_a_whole_night_is_reported_in_one_line_and_ends_with_0():
    lights, biases = numbered("light", 12), numbered("bias", 3)
    summary = summary_of(
        records=[*lights, *biases], made=[made("bias", biases), calibrated(lights)]
    )
    assert summary.verdict == "Verdict: 12 of 12 lights calibrated"
    assert str(summary).endswith(f"\n\n{summary.verdict}\n")
    assert summary.exit_status == 0


def test_the_verdict_states_which_masters_are_missing():
    one, other = numbered("light", 3)[:1], numbered("light", 3)[1:]
    lacks = {"missing": ["dark"], "noise_known": False}
    both = lacks | {"missing": ["dark", "flat"]}
    part = summary_of(records=[*one, *other], made=[calibrated(one), calibrated(other)])
    assert "without" not in part.verdict
    part.made[1] = calibrated(other, **lacks)
    assert part.verdict.endswith(
        "3 of 3 lights calibrated, 2 without a dark, 2 without uncertainties (noise not known)"
    )
    part.made[0] = calibrated(one, **both)
    assert part.verdict.endswith(
        "calibrated, without a dark, 1 without a flat, without uncertainties (noise not known)"
    )
    part.made[1] = calibrated(other, **both)
    assert ", without a dark and a flat, without" in part.verdict
    assert part.exit_status == 0


@pytest.mark.parametrize(
    ("left_out", "failed", "status", "words"),
    [
        (["bias-9"], [], 0, "1 calibration frame left out"),
        (["light-9", "bias-9"], [], 3, "1 light, 1 calibration frame left out"),
        (["odd"], [], 3, "1 file of unknown type left out"),
        (["light-9"], ["flat-9"], 1, "1 light left out; 1 calibration frame failed"),
    ],
)
def test_the_exit_status_gives_lights_that_were_left_out_from_others(
    left_out, failed, status, words
):
    lights = numbered("light", 2)
    others = [record(name) for name in (*left_out, *failed)]
    summary = summary_of(
        records=[*lights, *others],
        made=[calibrated(lights)],
        left_out={f"/night/{name}.fits": "empty" for name in left_out},
        failed={f"/night/{name}.fits": "odd" for name in failed},
    )
    assert summary.exit_status == status
    assert summary.verdict.endswith(f"; {words}")


def test_nothing_made_is_a_failure_and_calibration_frames_alone_are_none():
    biases = numbered("bias", 2)
    summary = summary_of(records=biases, made=[made("bias", biases)])
    assert summary.verdict == "Verdict: 1 master made; there are no lights"
    assert summary.exit_status == 0
    summary.made = []
    assert summary.verdict.startswith("Verdict: nothing was made")
    assert summary.exit_status == 1


def test_a_copy_of_a_light_is_no_light_that_is_missed():
    lights = numbered("light", 2)
    copy = record("light-again")
    summary = summary_of(
        records=[*lights, copy],
        made=[calibrated(lights)],
        left_out={copy.path: "a copy of light-0000.fits"},
        copies={copy.path},
    )
    assert summary.verdict == "Verdict: 2 of 2 lights calibrated"
    assert summary.exit_status == 0


def test_doubts_go_first_wherever_they_were_raised_and_are_counted():
    lights = [record("light-1", doubts=("EXPTIME is odd",)), record("light-2"), record("light-3")]
    lights[1] = record("light-2", doubts=("EXPTIME is odd",))
    summary = summary_of(
        notes=["the camera: gain 1 e/ADU", "32x32: DOUBT: the biases wander", "DOUBT: cut at 0"],
        records=lights,
        made=[calibrated(lights, notes=("a price", "WARNING: no level", "DOUBT: dark sky"))],
    )
    lines = str(summary).splitlines()
    assert lines[1:7] == [
        "32x32: DOUBT: the biases wander",
        "DOUBT: cut at 0",
        "WARNING: calibrated V_60s: no level",
        "DOUBT: calibrated V_60s: dark sky",
        "DOUBT: 2 files, light-1.fits, light-2.fits: EXPTIME is odd",
        "the camera: gain 1 e/ADU",
    ]
    assert "note on calibrated V_60s: a price" in lines
    assert summary.verdict.endswith("; doubtful: 5 doubts, listed first")
    assert summary.exit_status == 0


def test_three_hundred_frames_with_all_kinds_of_defects_fit_on_one_screen():
    lights, darks = numbered("light", 220), numbered("dark", 70)
    unread = [record(f"flat-{i}", doubts=(f"EXPTIME = {i} s is odd",)) for i in range(30)]
    reasons = {one.path: f"{one.path} has {i} bytes" for i, one in enumerate(lights[:40])}
    reasons |= {one.path: f"a copy of dark-{i}.fits" for i, one in enumerate(darks[:20])}
    notes = [f"the dark of {i} s is scaled by 0.{i}" for i in range(20)]
    summary = summary_of(
        out="out",
        records=[*lights, *darks, *unread],
        made=[
            *(made("dark", darks[20 + i : 21 + i], f"dark_{i}s") for i in range(8)),
            *(calibrated([one], notes=(notes[i],)) for i, one in enumerate(lights[40:50])),
        ],
        left_out=reasons,
        failed={one.path: f"of flat-{i}: no" for i, one in enumerate(lights[50:200])},
    )
    lines = str(summary).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) < 600
    assert "    has 0 bytes (and the like, with other values)" in lines
    assert "        40 files: light-0000.fits, light-0001.fits" in "\n".join(lines)
    assert summary.table()["reason"].values.tolist().count("") == 320 - 60 - 150


def test_reasons_that_differ_by_numbers_only_stay_apart_while_they_are_few():
    described = [("a", "x is 3"), ("b", "x is 4"), ("c", "x is 3")]
    assert [(g.line, g.names) for g in alike(described, 2)] == [
        ("x is 3", ("a", "c")),
        ("x is 4", ("b",)),
    ]
    (group,) = alike(described, 1)
    assert group.names == ("a", "b", "c")
    assert group.line == "x is 3 (and the like, with other values)"


def test_masters_that_do_not_fit_are_stated_in_a_few_words_a_trait():
    why = {"d1": "exposed 1 s, not 9 s", "d2": "exposed 2 s, not 9 s", "d3": "at 5 C, not 9 C"}
    traits = {"d1": "exposure", "d2": "exposure", "d3": "temperature"}
    assert in_few_words(why, traits, "dark") == ["2 darks: other exposures", "d3: at 5 C, not 9 C"]
    settings = dict.fromkeys(why, "gain_setting")
    assert in_few_words(why, settings, "bias") == ["3 biases: other gain settings"]
    same = dict.fromkeys(("a", "b"), "could not be made")
    assert in_few_words(same, {}, "flat") == ["2 flats: could not be made"]


def test_long_lists_and_lines_are_cut_and_keep_both_ends():
    assert named([f"{i:02d}.fits" for i in range(99)], 20) == "00.fits, 01.fits and 97 more"
    line = shortened("DOUBT: " + 999 * "x " + "--option")
    assert len(line) < 500
    assert line.startswith("DOUBT: x")
    assert line.endswith("--option")


def test_darks_of_other_exposures_are_one_reason_in_the_night(sky, write_night, tmp_path):
    darks = [sky.dark(1, exposure=e, start=i) for i, e in enumerate((5, 10, 20, 40), start=1)]
    folder = write_night(sky.bias(2), *darks, sky.objects(2, exposure=90))
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    (reason,) = set(summary.left_out.values())
    assert reason.startswith("no dark fits (4 darks: other exposures); a dark of another exposure")
    assert reason in str(summary)
    assert summary.exit_status == 3
    table = aw.open_night(tmp_path / "out").to_dataset()
    light = [Path(path).name for path in table["path"].values.tolist()].index("object-0001.fits")
    assert len(json.loads(str(table["why_not"].values[light]))["dark"]) == 4
    assert table.attrs["verdict"] == summary.verdict


def test_what_is_too_long_for_the_text_stands_in_the_store(sky, write_night, tmp_path):
    folder = write_night(sky.bias(2), sky.dark(2), sky.objects(2, exposure=30))
    for number in range(3):
        (folder / f"light{number}.fits").write_bytes(b"")
    summary = reduce(folder, tmp_path / "out", camera=sky.camera)
    assert "3 files: light0.fits" in str(summary)
    assert summary.verdict.startswith("Verdict: 2 of 5 lights calibrated")
    described = info(aw.open_night(tmp_path / "out"))
    assert all(f"light{number}.fits" in described for number in range(3))
    assert "calibrated V_30s: the dark dark_60s of 60 s is scaled" in described


def test_notebooks_show_the_summary_as_tables_without_a_name_unescaped():
    lights = [record("light-1"), record("light-<2>")]
    summary = summary_of(
        lights,
        made=[calibrated(lights[:1])],
        left_out={lights[1].path: "it is <black>"},
        notes=["DOUBT: cut at 0"],
    )
    page = summary._repr_html_()
    assert repr(summary) == str(summary)
    for words in ("Verdict: ", "DOUBT: cut at 0", "Left out: 1", "it is &lt;black&gt;", "V_60s"):
        assert words in page
    assert "<2>" not in page

"""Works that are done in the pass that stores frames."""

import operator
import pickle

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from autowisp_xr.bridge.beside import Beside, together
from autowisp_xr.bridge.rows import Rows

FILES, NUMBERS = (xr.Variable("frame", np.arange(2)) for _ in range(2))
IMAGE, VARIANCE, MASK = (
    xr.Variable(("frame", "channel", "y", "x"), da.zeros((2, 1, 4, 6), name=f"plane {i}"))
    for i in range(3)
)


def test_a_plane_that_both_works_take_is_made_once():
    done = []
    one = Beside([FILES, IMAGE, VARIANCE], lambda *given: done.append(given), None)
    other = Beside([NUMBERS, IMAGE.copy(deep=False), MASK], lambda *given: done.append(given), None)
    both = together(one, other)
    wanted = [FILES, IMAGE, VARIANCE, NUMBERS, MASK]
    assert len(both.operands) == len(wanted)
    assert all(map(operator.is_, both.operands, wanted))
    both.work(*"fivnm")
    assert done == [tuple("fiv"), tuple("nim")]


def test_of_rows_the_first_work_is_done_alone():
    done = []
    one = Beside([FILES, IMAGE], None, lambda given, rows: done.append((given, *rows.planes)))
    both = together(one, Beside([NUMBERS, VARIANCE, MASK], None, None))
    both.by_rows("files", Rows([IMAGE, NUMBERS, VARIANCE, MASK], 2))
    ((given, image),) = done
    assert given == "files"
    assert image is IMAGE
    together(None, Beside([NUMBERS, MASK], None, None)).by_rows(0, Rows([MASK], 2))


def test_what_is_seen_is_seen_in_this_process():
    alone = together(None, Beside([NUMBERS, MASK], print, None))
    with pytest.raises(TypeError, match="belong to their process"):
        pickle.dumps(alone.work)

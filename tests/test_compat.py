"""What ``_compat`` relies upon in other packages is there, and does what it is relied upon for."""

import pickle
import subprocess
import sys
from enum import Enum

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from autowisp_xr import _compat

VALUES = np.arange(24.0).reshape(4, 6)


class Counted(_compat.LateArray):
    """Counts from 0 on, and notes what is asked for."""

    def __init__(self):
        self.shape, self.dtype, self.keys = VALUES.shape, VALUES.dtype, []

    def read(self, key):
        self.keys.append(key)
        # as NumPy has it where an index is of one axis at a time
        return VALUES[key[0]][..., key[1]]


def test_arrays_of_numpy_are_in_memory_and_others_are_not():
    here = xr.Variable(("y", "x"), VALUES)
    late = _compat.late_variable(Counted(), ("y", "x"))
    assert _compat.in_memory(here)
    assert _compat.in_memory(here[1:, ::2])
    assert _compat.in_memory(xr.Dataset(coords={"y": [1, 2]})["y"].variable)
    assert not _compat.in_memory(here.chunk())
    assert not _compat.in_memory(late)
    assert _compat.in_memory(late.load())


def test_a_variable_of_an_array_is_the_one_that_xarray_makes_and_imports_no_dask():
    made = _compat.of_array("file", VALUES[0])
    xr.testing.assert_identical(made, xr.Variable("file", VALUES[0]))
    xr.testing.assert_identical(xr.Dataset({"a": made}), xr.Dataset({"a": ("file", VALUES[0])}))
    program = (
        "import sys, numpy as np, xarray as xr; from autowisp_xr import _compat;"
        "ds = xr.Dataset({'a': _compat.of_array('file', np.arange(3.0))});"
        "print(ds.a.values.sum(), 'dask.array' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == [b"3.0", b"False"]


def test_a_late_array_is_read_when_it_is_asked_for_and_each_time():
    array = Counted()
    variable = _compat.late_variable(array, ("y", "x"), {"units": "adu"}, {"chunks": (1, 6)})
    assert variable.attrs == {"units": "adu"}
    assert variable.encoding == {"chunks": (1, 6)}
    part = xr.Dataset({"a": variable})["a"].isel(y=slice(1, 3))
    repr(part)
    assert array.keys == []
    np.testing.assert_array_equal(part.values, VALUES[1:3])
    np.testing.assert_array_equal(variable[2].values, VALUES[2])
    np.testing.assert_array_equal(variable[[0, 3], 1:].values, VALUES[[0, 3], 1:])
    assert len(array.keys) == 3


def test_a_late_array_reads_what_is_no_outer_index_too():
    variable = _compat.late_variable(Counted(), ("y", "x"))
    points = xr.Variable("point", [0, 3, 2])
    np.testing.assert_array_equal(variable[points, points].values, VALUES[[0, 3, 2], [0, 3, 2]])
    np.testing.assert_array_equal(variable[::-1, 5].values, VALUES[::-1, 5])


def test_a_late_array_is_pickled_and_becomes_a_dask_array():
    variable = _compat.late_variable(Counted(), ("y", "x"))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(variable)).values, VALUES)
    np.testing.assert_array_equal(variable.chunk({"y": 1}).values, VALUES)


class Numbered(Counted):
    """The same, whose rows are known by their numbers."""

    def __init__(self, rows):
        super().__init__()
        self.rows, self.shape = rows, (len(rows), VALUES.shape[1])

    def of_frames(self, numbers):
        return Numbered(self.rows[numbers])

    def read(self, key):
        return VALUES[self.rows][key[0]][..., key[1]]


def test_a_compact_variable_knows_of_no_rows_but_its_own():
    variable = _compat.late_variable(Numbered(np.arange(4)), ("y", "x"))
    part = _compat.compact(variable[[3, 1], ::2])
    np.testing.assert_array_equal(part.values, VALUES[[3, 1], ::2])
    np.testing.assert_array_equal(part._data.array.rows, [3, 1])
    for same in (variable, variable[2], variable.chunk(), variable.load()):
        assert _compat.compact(same) is same


def test_a_class_that_counts_as_its_base_is_one_with_it_in_a_set():
    class Kind(da.Array, metaclass=_compat.CountsAsBase):
        pass

    assert {da.Array, Kind} == {da.Array} == {Kind}
    assert Kind != np.ndarray
    assert issubclass(Kind, da.Array)
    assert not issubclass(da.Array, Kind)


def test_tasks_apart_give_the_same_values_and_share_no_task():
    # a selection by a list makes tasks of the newer kind
    array = da.from_array(VALUES, chunks=(2, 3))[[3, 0, 1]][:, 1:5] + 1
    other = _compat.apart(array, "other")
    np.testing.assert_array_equal(other.compute(), array.compute())
    assert other.chunks == array.chunks
    assert not set(other.__dask_graph__()) & set(array.__dask_graph__())
    xr.testing.assert_equal(xr.DataArray(other).compute(), xr.DataArray(array).compute())


def test_variables_are_encoded_as_the_documented_way_back_decodes_them():
    times = xr.Variable("frame", np.array(["2026-01-02T03:04:05"], "M8[ns]"))
    for given in (times, xr.Variable("frame", [True, False]), xr.Variable("y", [1.5, np.nan])):
        encoded = _compat.cf_encoded(given, "name")
        assert encoded.dtype.kind in "if"
        xr.testing.assert_identical(
            xr.decode_cf(xr.Dataset({"name": encoded}))["name"].variable.load(), given
        )


def test_work_in_the_loop_of_zarr_is_waited_for_and_its_errors_are_raised():
    async def work(number):
        return 1 / number

    assert _compat.wait_for(work(2)) == 0.5
    with pytest.raises(ZeroDivisionError):
        _compat.wait_for(work(0))


def test_a_late_array_that_states_what_it_is_has_one_name_however_it_is_put_together():
    class Stated(Counted):
        def __init__(self, *parts):
            super().__init__()
            self.parts = parts

        def __dask_tokenize__(self):
            return list(self.parts)

    text = "a text that is not kept as one"
    once, twice = Stated(text, text), Stated(text, " ".join(text.split()))
    assert pickle.dumps(once.parts) != pickle.dumps(twice.parts)
    one, other = (_compat.late_variable(each, ("y", "x")) for each in (once, twice))
    assert _compat.late_token(one) == _compat.late_token(other)
    assert _compat.late_token(one[1:]) == _compat.late_token(other[1:])
    assert len({_compat.late_token(part) for part in (one, one[1:], one[:, ::2])}) == 3
    assert _compat.late_token(_compat.late_variable(Counted(), ("y", "x"))) is None


def test_work_that_another_thread_disturbed_is_begun_again():
    disturbed = iter([SystemError("AST constructor recursion depth mismatch"), None])

    def work():
        if error := next(disturbed):
            raise error
        return 7

    assert _compat.again_if_interrupted(work) == 7

    def always():
        raise SystemError("not of threads")

    with pytest.raises(SystemError, match="not of threads"):
        _compat.again_if_interrupted(always)


def test_names_of_codecs_are_text_in_whatever_version():
    older = Enum("Endian", {"little": "little"})
    assert _compat.plain_name(older.little) == _compat.plain_name("little") == "little"

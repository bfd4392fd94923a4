import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

from autowisp_xr.errors import AutowispError, InUseError
from autowisp_xr.filesystem.locking import locked

HOLD = """
    import sys, time
    from autowisp_xr.filesystem.locking import locked

    with locked(sys.argv[1], "the place"):
        print("held", flush=True)
        {}
        time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Starts processes that lock a file and hold it, and ends them."""
    started = []

    def start(path, more=""):
        code = textwrap.dedent(HOLD).format(more)
        process = subprocess.Popen(
            [sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_second_is_refused_and_reported_by_whom_where_and_since_when(tmp_path, holder):
    path = tmp_path / "x.lock"
    process = holder(path)
    with (
        pytest.raises(
            InUseError,
            match=rf"out is being written by process {process.pid} on {socket.gethostname()}, "
            r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
        ),
        locked(str(path), "out"),
    ):
        pass
    assert issubclass(InUseError, AutowispError)
    assert issubclass(InUseError, OSError)


def test_what_a_killed_run_held_is_free_at_once(tmp_path, holder):
    path = tmp_path / "x.lock"
    process = holder(path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.exists()
    with locked(str(path), "out"):
        assert json.loads(path.read_text())["process"] == os.getpid()
    assert not path.exists()


def test_a_child_of_a_killed_run_does_not_hold_on(tmp_path, holder):
    path = tmp_path / "x.lock"
    process = holder(
        path, "import os; os.fork() or (print(os.getpid(), flush=True), time.sleep(9))"
    )
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    try:
        with locked(str(path), "out"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_threads_of_a_process_are_kept_apart_too(tmp_path):
    path = str(tmp_path / "x.lock")
    described = []

    def claim():
        try:
            with locked(path, "out"):
                described.append("free")
        except InUseError as error:
            described.append(str(error))

    with locked(path, "out"), locked(path + "2", "another place"):
        thread = threading.Thread(target=claim)
        thread.start()
        thread.join()
    claim()
    assert f"process {os.getpid()}" in described[0]
    assert described[1] == "free"


def signed(path, **changes):
    given = {"host": "elsewhere", "boot": "b", "process": os.getpid(), "since": "noon"} | changes
    path.write_text(json.dumps(given))


def test_a_process_of_another_host_may_live_so_a_person_has_to_state(tmp_path):
    path = tmp_path / "x.lock"
    signed(path)
    with (
        pytest.raises(InUseError, match=rf"on elsewhere, since noon, .* remove .*{path.name}"),
        locked(str(path), "out"),
    ):
        pass
    path.unlink()
    with locked(str(path), "out"):
        pass


@pytest.mark.parametrize("left", ["", "{", "[1]", "null"])
def test_what_is_left_of_a_run_that_could_not_sign_is_free(left, tmp_path):
    path = tmp_path / "x.lock"
    path.write_text(left)
    with locked(str(path), "out"):
        pass


def test_a_host_that_has_started_anew_knows_its_own(tmp_path):
    path = tmp_path / "x.lock"
    signed(path, host=socket.gethostname())
    with locked(str(path), "out"):
        pass


@pytest.mark.parametrize(
    ("process", "free"), [(os.getpid(), False), (2**22 + 1, True)], ids=["own", "none"]
)
def test_on_a_disk_without_locks_the_process_decides(process, free, tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("autowisp_xr.filesystem.locking.fcntl.flock", unknown)
    path = tmp_path / "x.lock"
    signed(path, host=socket.gethostname(), process=process)
    try:
        with locked(str(path), "out"):
            assert free
    except InUseError:
        assert not free


def test_what_was_made_for_the_claim_only_is_removed(tmp_path):
    with locked(str(tmp_path / "a" / "b" / "x.lock"), "out"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []
    with locked(str(tmp_path / "a" / "b" / "x.lock"), "out"):
        (tmp_path / "a" / "result").touch()
    assert os.listdir(tmp_path / "a") == ["result"]


RACE = """
    import os, sys, time
    from autowisp_xr.errors import InUseError
    from autowisp_xr.filesystem.locking import locked

    path, count = sys.argv[1], 0
    until = time.monotonic() + 20
    while count < 50 and time.monotonic() < until:
        try:
            with locked(path, "out"):
                os.close(os.open(path + ".witness", os.O_CREAT | os.O_EXCL))
                os.remove(path + ".witness")
                count += 1
        except InUseError:
            pass
    print(count)
"""


def test_of_many_at_once_one_at_a_time_comes_in(tmp_path):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(RACE), tmp_path / "x.lock"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    counts = [int(process.communicate()[0]) for process in running]
    assert all(process.returncode == 0 for process in running)
    assert max(counts) == 50

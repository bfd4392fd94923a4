import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from autowisp_xr.cli.calibrate import Turns

JOBS = [f"job {number}" for number in range(12)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_turns_are_taken_in_the_order_of_the_jobs(threads):
    turns, taken = Turns(JOBS), []

    def work(job):
        # the later a job, the sooner it is ready
        time.sleep(0.001 * (len(JOBS) - JOBS.index(job)))
        turns.wait(job)
        taken.append(job)
        turns.end(job)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, JOBS))
    assert taken == JOBS


@pytest.mark.parametrize("inside", [True, False])
def test_nobody_waits_for_a_job_that_fails_or_takes_no_turn(inside):
    turns, taken = Turns(JOBS), []

    def work(job):
        try:
            if job == JOBS[0] and not inside:
                raise KeyError(job)
            if job == JOBS[1]:
                return
            turns.wait(job)
            if job == JOBS[0]:
                raise KeyError(job)
            taken.append(job)
        finally:
            turns.end(job)

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(work, job) for job in JOBS]
    with pytest.raises(KeyError):
        jobs[0].result()
    assert taken == JOBS[2:]

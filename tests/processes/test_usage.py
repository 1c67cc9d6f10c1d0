"""What a block used is found, whoever waited for its processes and wherever they went."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from labsupport.processes.usage import Reading, UsageMeter, process_table

BURN = "import time\nwhile time.process_time() < 0.5: pass"
# A daemon as servers start them: its parent leaves at once, it has a session of its own, and init inherits it.
DAEMON = f"""
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        exec({BURN!r})
    os._exit(0)
"""


class Table:
    """A process table that a test writes: pid -> [parent, own seconds, waited seconds, resident bytes]."""

    def __init__(self) -> None:
        self.rows = {1: [0, 100.0, 0.0, 7], os.getpid(): [1, 5.0, 3.0, 1000]}
        self.carriers: set[int] = set()

    def __call__(self):
        return [Reading(pid, pid, *row) for pid, row in self.rows.items()]


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def meter(table):
    meter = UsageMeter(60.0, table=table, carries=lambda pid, entry: pid in table.carriers)
    with meter:
        yield meter


def test_what_was_used_before_the_block_does_not_count(table, meter):
    assert meter.cpu_s == 0
    table.rows[os.getpid()][1] = 6.5
    assert meter.cpu_s == 1.5


def test_children_count_while_they_live_and_when_they_were_waited_for(table, meter):
    table.rows[70] = [os.getpid(), 2.0, 0.0, 10]
    assert meter.cpu_s == 2.0
    del table.rows[70]
    table.rows[os.getpid()][2] += 2.25  # it used another quarter of a second after it was seen
    assert meter.cpu_s == 2.25


def test_a_child_that_nobody_waits_for_counts_as_it_was_last_seen(table, meter):
    table.rows[70] = [os.getpid(), 1.0, 0.0, 10]
    table.rows[71] = [70, 2.0, 0.0, 10]
    meter.sample()
    del table.rows[71]
    assert meter.cpu_s == 3.0
    del table.rows[70]
    assert meter.cpu_s == 3.0


def test_a_child_that_was_never_seen_is_in_the_figure_of_its_parent(table, meter):
    table.rows[70] = [os.getpid(), 1.0, 4.0, 10]
    assert meter.cpu_s == 5.0


def test_a_whole_branch_that_ends_between_two_samples_is_counted_once(table, meter):
    table.rows |= {70: [os.getpid(), 1.0, 0.0, 10], 71: [70, 2.0, 0.0, 10], 72: [71, 4.0, 0.0, 10]}
    meter.sample()
    for pid in (70, 71, 72):
        del table.rows[pid]
    table.rows[os.getpid()][2] += 7.0
    assert meter.cpu_s == 7.0


def test_an_orphan_stays_in_the_account_and_so_do_its_own_children(table, meter):
    table.rows[70] = [os.getpid(), 1.0, 0.0, 10]
    meter.sample()
    table.rows[70] = [1, 2.0, 0.0, 10]
    table.rows[71] = [70, 0.5, 0.0, 10]
    assert meter.cpu_s == 2.5


def test_a_daemon_that_was_never_seen_with_its_parents_is_known_by_its_environment(table, meter):
    table.rows |= {70: [1, 3.0, 0.0, 10], 71: [1, 9.0, 0.0, 10]}
    table.carriers = {70}
    assert meter.cpu_s == 3.0


def test_a_process_of_before_the_block_counts_from_then_on_however_it_ends():
    table = Table()
    table.rows[70] = [os.getpid(), 50.0, 0.0, 10]
    with UsageMeter(60.0, table=table, carries=lambda *_: False) as meter:
        table.rows[70][1] = 51.0
        assert meter.cpu_s == 1.0
        del table.rows[70]
        table.rows[os.getpid()][2] += 51.5
        assert meter.cpu_s == 1.5


def test_a_number_that_another_process_had_before_is_another_process(table, meter):
    table.rows[70] = [os.getpid(), 1.0, 0.0, 10]
    meter.sample()
    readings = [Reading(70, 999, 1, 40.0, 0.0, 10), *[one for one in table() if one.pid != 70]]
    meter._table = lambda: readings
    assert meter.cpu_s == 1.0


def test_the_peak_is_that_of_all_together_and_can_be_started_anew(table, meter):
    table.rows[70] = [os.getpid(), 1.0, 0.0, 500]
    meter.sample()
    del table.rows[70]
    meter.sample()
    assert meter.peak_bytes == 1500
    meter.restart_peak()
    assert meter.peak_bytes == 1000


def test_the_process_table_says_what_this_process_is():
    mine = next(reading for reading in process_table() if reading.pid == os.getpid())
    assert mine.parent_pid == os.getppid()
    assert mine.own_s == pytest.approx(time.process_time(), abs=0.1)
    assert mine.resident_bytes > 10_000_000


@pytest.mark.slow
def test_a_child_and_a_daemon_that_left_the_tree_are_counted():
    with UsageMeter(0.05) as meter:
        subprocess.run([sys.executable, "-c", BURN], check=True)
        assert 0.5 <= meter.cpu_s < 0.9
        subprocess.run([sys.executable, "-c", DAEMON], check=True)
        deadline = time.monotonic() + 30
        while meter.cpu_s < 0.9 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert meter.cpu_s >= 0.9
    assert not [name for name in os.environ if name.startswith("LABS_METER")]

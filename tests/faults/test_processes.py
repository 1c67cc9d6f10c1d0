"""Faults on real processes, and above all that they are reverted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from labsupport.errors import LabsError
from labsupport.faults.processes import KillWhen, kill, pause


def becomes(condition: Callable[[], bool], limit_s: float = 30.0) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def guardians() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "guardian.py" in " ".join(child.cmdline())]


@pytest.fixture
def target() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "120"])
    yield process
    process.kill()
    process.wait()


class TestKill:
    def test_the_process_dies_of_sigkill(self, target: subprocess.Popen[bytes]) -> None:
        before = time.time()
        killed = kill(target.pid)
        assert target.wait() == -signal.SIGKILL
        assert killed.pid == target.pid
        assert before <= killed.killed_at <= time.time()

    @pytest.mark.parametrize("pid", [1, 0, -1, -12345])
    def test_init_and_process_groups_are_refused(self, pid: int) -> None:
        with pytest.raises(LabsError, match=f"pid {pid}: not one process"):
            kill(pid)

    def test_our_own_process_is_refused(self) -> None:
        with pytest.raises(LabsError, match="this very process"):
            kill(os.getpid())

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
    def test_another_users_process_is_refused_even_for_root(self) -> None:
        stranger = subprocess.Popen(["sleep", "120"], user=65534)
        try:
            with pytest.raises(LabsError, match="belongs to user id 65534"):
                kill(stranger.pid)
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()

    def test_a_process_that_has_ended_is_refused_before_and_after_it_is_reaped(self) -> None:
        process = subprocess.Popen(["true"])
        assert becomes(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        with pytest.raises(LabsError, match="no such process"):
            kill(process.pid)
        process.wait()
        with pytest.raises(LabsError, match="no such process"):
            kill(process.pid)


class TestPause:
    def test_the_process_is_frozen_inside_and_runs_after(self, target: subprocess.Popen[bytes]) -> None:
        with pause(target.pid):
            assert becomes(lambda: is_stopped(target.pid))
        assert becomes(lambda: not is_stopped(target.pid))
        assert guardians() == []

    def test_an_exception_inside_reverts_too(self, target: subprocess.Popen[bytes]) -> None:
        with pytest.raises(RuntimeError, match="inside"), pause(target.pid):
            raise RuntimeError("inside")
        assert becomes(lambda: not is_stopped(target.pid))
        assert guardians() == []

    def test_a_frozen_process_may_be_killed_inside(self, target: subprocess.Popen[bytes]) -> None:
        with pause(target.pid):
            kill(target.pid)
            assert target.wait() == -signal.SIGKILL
        assert guardians() == []

    def test_the_same_refusals_as_kill(self) -> None:
        with pytest.raises(LabsError, match="this very process"), pause(os.getpid()):
            pass
        assert guardians() == []

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_the_pause_is_reverted_when_the_injector_is_killed(
        self, target: subprocess.Popen[bytes], number: signal.Signals
    ) -> None:
        code = """
            import signal, sys, time
            from labsupport.faults.processes import pause
            signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background jobs
            with pause(int(sys.argv[1])):
                print("paused", flush=True)
                time.sleep(120)
        """
        injector = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(target.pid)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with injector:
            assert injector.stdout is not None
            injector.stdout.readline()
            assert becomes(lambda: is_stopped(target.pid))
            injector.send_signal(number)
        assert becomes(lambda: not is_stopped(target.pid))
        assert target.poll() is None

    def test_a_fork_of_the_injector_that_holds_the_pipe_does_not_keep_it_frozen(
        self, target: subprocess.Popen[bytes]
    ) -> None:
        code = """
            import os, sys, time
            from labsupport.faults.processes import pause
            with pause(int(sys.argv[1])):
                if os.fork() == 0:
                    print(os.getpid(), flush=True)
                    time.sleep(120)
                time.sleep(120)
        """
        injector = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(target.pid)], stdout=subprocess.PIPE
        )
        assert injector.stdout is not None
        fork_pid = int(injector.stdout.readline())
        try:
            assert becomes(lambda: is_stopped(target.pid))
            injector.kill()
            assert becomes(lambda: not is_stopped(target.pid))
        finally:
            os.kill(fork_pid, signal.SIGKILL)
            injector.stdout.close()
            injector.wait()

    def test_the_guardian_reverts_when_it_is_terminated_itself(self, target: subprocess.Popen[bytes]) -> None:
        with pause(target.pid):
            assert becomes(lambda: is_stopped(target.pid))
            guardians()[0].terminate()
            assert becomes(lambda: not is_stopped(target.pid))

    def test_the_block_reverts_without_its_guardian(self, target: subprocess.Popen[bytes]) -> None:
        with pause(target.pid):
            assert becomes(lambda: is_stopped(target.pid))
            guardians()[0].kill()
        assert becomes(lambda: not is_stopped(target.pid))


class TestKillWhen:
    def test_it_kills_once_when_the_condition_names_a_pid(self, target: subprocess.Popen[bytes]) -> None:
        asked: list[float] = []

        def third_time() -> int | None:
            asked.append(time.time())
            return target.pid if len(asked) >= 3 else None

        with KillWhen(third_time, poll_s=0.01) as killer:
            assert killer.wait(30.0)
            assert target.wait() == -signal.SIGKILL
        assert len(asked) == 3
        assert killer.pid == target.pid
        assert killer.killed_at is not None
        assert asked[-1] <= killer.killed_at <= time.time()

    def test_a_condition_that_never_holds_kills_nothing_and_the_thread_ends(
        self, target: subprocess.Popen[bytes]
    ) -> None:
        threads = threading.active_count()
        with KillWhen(lambda: None) as killer:
            assert not killer.wait(0.05)
        assert (killer.pid, killer.killed_at) == (None, None)
        assert threading.active_count() == threads
        assert target.poll() is None

    def test_an_error_of_the_condition_is_raised_where_the_watch_ends(self) -> None:
        def broken() -> int | None:
            raise KeyError("no such rank")

        killer = KillWhen(broken).start()
        with pytest.raises(KeyError, match="no such rank"):
            killer.stop()

    def test_a_refused_pid_is_raised_where_the_watch_ends(self) -> None:
        killer = KillWhen(os.getpid).start()
        with pytest.raises(LabsError, match="this very process"):
            killer.stop()
        assert killer.killed_at is None

    def test_the_blocks_own_error_is_the_one_seen(self) -> None:
        with pytest.raises(RuntimeError, match="training failed") as caught, KillWhen(os.getpid):
            raise RuntimeError("training failed")
        assert "this very process" in caught.value.__notes__[0]

    def test_the_thread_is_joined_when_the_block_raises(self, target: subprocess.Popen[bytes]) -> None:
        threads = threading.active_count()
        with pytest.raises(RuntimeError), KillWhen(lambda: None):
            raise RuntimeError
        assert threading.active_count() == threads
        assert target.poll() is None

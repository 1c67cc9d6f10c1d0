"""Real processes: what a block or a command started is gone afterwards, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from labsupport.errors import LabsError
from labsupport.processes import Fate, run_group, supervised

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")

SLEEPER = "import time; time.sleep(120)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(120)"
)
# Starts a daemon the way Ray and Jupyter do, in a session of its own, says its pid and leaves.
DAEMONISER = """
import subprocess, sys
daemon = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(daemon.pid, flush=True)
daemon.returncode = 0  # it is left behind on purpose
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code), *arguments]


def becomes(condition: Callable[[], bool], limit_s: float = 30.0) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(process: psutil.Process) -> bool:
    """By pid and start time; a zombie that somebody else must reap has ended."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def start_daemon() -> psutil.Process:
    return psutil.Process(int(subprocess.run(python(DAEMONISER), check=True, capture_output=True).stdout))


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "120"])
    yield process
    process.kill()
    process.wait()


class TestSupervised:
    def test_a_daemon_whose_parent_has_left_is_ended(self) -> None:
        with supervised() as supervision:
            daemon = start_daemon()
            assert daemon.ppid() == os.getpid()
        assert not psutil.pid_exists(daemon.pid)
        assert [(one.pid, one.fate) for one in supervision.ended] == [(daemon.pid, Fate.TERMINATED)]

    def test_a_process_that_ignores_sigterm_is_killed_and_its_owner_reads_the_real_status(self) -> None:
        with supervised(grace_s=0.3) as supervision:
            child = subprocess.Popen(python(STUBBORN), stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            child.stdout.readline()
        child.stdout.close()
        assert child.returncode == -signal.SIGKILL
        assert [one.fate for one in supervision.ended] == [Fate.KILLED]

    def test_a_stopped_process_is_ended_without_sigkill(self) -> None:
        with supervised() as supervision:
            child = subprocess.Popen(["sleep", "120"])
            child.send_signal(signal.SIGSTOP)
            assert becomes(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)
        assert child.returncode == -signal.SIGTERM
        assert [one.fate for one in supervision.ended] == [Fate.TERMINATED]

    @pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, SystemExit])
    def test_an_exception_inside_the_block_still_cleans_up(self, raised: type[BaseException]) -> None:
        children = []

        def block() -> None:
            with supervised():
                children.append(subprocess.Popen(["sleep", "120"]))
                children.append(subprocess.Popen(["sleep", "120"], start_new_session=True))
                raise raised

        with pytest.raises(raised):
            block()
        assert [child.returncode for child in children] == [-signal.SIGTERM] * 2

    def test_what_was_there_before_is_left_alone_with_all_it_starts(self) -> None:
        parent = subprocess.Popen(
            python(
                """
                import subprocess, sys
                sys.stdin.readline()
                child = subprocess.Popen(["sleep", "120"])
                print(child.pid, flush=True)
                sys.stdin.readline()
                child.kill()
                child.wait()
                """
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert parent.stdin is not None
        assert parent.stdout is not None
        with parent:
            with supervised() as supervision:
                parent.stdin.write("start\n")
                grandchild = psutil.Process(int(parent.stdout.readline()))
            assert supervision.ended == ()
            assert not gone(grandchild)
            assert parent.poll() is None
            parent.stdin.write("end\n")
        assert gone(grandchild)

    def test_a_child_that_has_ended_by_itself_keeps_its_status_for_its_owner(self) -> None:
        with supervised() as supervision:
            child = subprocess.Popen(python("raise SystemExit(7)"))
            assert becomes(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
        assert child.wait() == 7
        assert supervision.ended == ()

    def test_an_orphan_that_has_ended_by_itself_leaves_no_zombie(self) -> None:
        orphan_ends = DAEMONISER.replace("time.sleep(120)", "time.sleep(0.1)")
        with supervised():
            pid = int(subprocess.run(python(orphan_ends), check=True, capture_output=True).stdout)
            assert becomes(lambda: gone(psutil.Process(pid)))
        assert not psutil.pid_exists(pid)

    def test_blocks_nest_and_the_inner_one_ends_its_own_only(self) -> None:
        with supervised() as outer:
            first = subprocess.Popen(["sleep", "120"])
            with supervised() as inner:
                second = start_daemon()
            assert [one.pid for one in inner.ended] == [second.pid]
            assert first.poll() is None
            third = start_daemon()  # still adopted: the outer block is open
        assert {one.pid for one in outer.ended} == {first.pid, third.pid}

    def test_a_block_in_another_thread_works(self) -> None:
        codes: list[int | None] = []

        def work() -> None:
            with supervised():
                child = subprocess.Popen(["sleep", "120"])
            codes.append(child.returncode)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert codes == [-signal.SIGTERM]

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    def test_a_signal_to_this_process_ends_the_block_in_order(self, number: signal.Signals) -> None:
        program = subprocess.Popen(
            python(
                """
                import signal, subprocess, time
                from labsupport.processes import supervised
                signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background jobs
                with supervised():
                    child = subprocess.Popen(["sleep", "120"], start_new_session=True)
                    print(child.pid, flush=True)
                    time.sleep(120)
                """
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with program:
            assert program.stdout is not None
            child = psutil.Process(int(program.stdout.readline()))
            program.send_signal(number)
        assert program.returncode == (-number if number is signal.SIGINT else 128 + number)
        assert gone(child)

    def test_handlers_are_as_before_after_the_block(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        with supervised():
            assert signal.getsignal(signal.SIGTERM) is not before
        assert signal.getsignal(signal.SIGTERM) is before


class TestDieWithParent:
    def test_the_child_dies_when_its_parent_is_killed(self) -> None:
        parent = subprocess.Popen(
            python(
                """
                import subprocess, time
                from labsupport.processes import die_with_parent
                child = subprocess.Popen(["sleep", "120"], start_new_session=True, preexec_fn=die_with_parent())
                print(child.pid, flush=True)
                time.sleep(120)
                """
            ),
            stdout=subprocess.PIPE,
            text=True,
        )
        with parent:
            assert parent.stdout is not None
            child = psutil.Process(int(parent.stdout.readline()))
            parent.kill()
        assert becomes(lambda: gone(child))


class TestRunGroup:
    def test_streams_status_and_lines_are_those_of_the_command(self, tmp_path: Path) -> None:
        lines: list[str] = []
        code = """
            import os, sys
            print(os.getcwd()); print(os.environ["GREETING"]); print("no newline", end="", file=sys.stderr)
            raise SystemExit(3)
        """
        done = run_group(
            python(code), env={**os.environ, "GREETING": "gr\u00fc\u00df"}, cwd=tmp_path, on_line=lines.append
        )
        assert done.returncode == 3
        assert done.stdout == f"{tmp_path}\ngr\u00fc\u00df\n"
        assert done.stderr == "no newline"
        assert sorted(lines) == sorted([str(tmp_path), "gr\u00fc\u00df", "no newline"])
        assert (done.timed_out, done.ended) == (False, ())

    def test_the_command_has_a_session_of_its_own_and_no_input(self) -> None:
        code = "import os, sys; print(os.getsid(0) == os.getpid(), repr(sys.stdin.read()))"
        assert run_group(python(code)).stdout == "True ''\n"

    def test_a_daemon_left_behind_is_ended_and_named(self) -> None:
        done = run_group(python(DAEMONISER))
        assert done.returncode == 0
        assert [one.pid for one in done.ended] == [int(done.stdout)]
        assert not psutil.pid_exists(int(done.stdout))

    @pytest.mark.slow
    def test_a_timeout_ends_the_whole_tree(self) -> None:
        pids: list[str] = []
        done = run_group(python(DAEMONISER + "\nimport time; time.sleep(120)"), timeout_s=5.0, on_line=pids.append)
        assert done.timed_out
        assert done.returncode == -signal.SIGTERM
        assert len(done.ended) == 2
        assert not psutil.pid_exists(int(pids[0]))

    @pytest.mark.slow
    def test_a_command_that_ignores_sigterm_is_killed_at_its_timeout(self) -> None:
        done = run_group(python(STUBBORN), timeout_s=2.0, grace_s=0.2)
        assert (done.timed_out, done.returncode) == (True, -signal.SIGKILL)
        assert [one.fate for one in done.ended] == [Fate.KILLED]

    def test_an_error_in_on_line_reaches_the_caller_and_ends_the_tree(self) -> None:
        pids: list[int] = []

        def refuse(line: str) -> None:
            pids.append(int(line))
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_group(python(DAEMONISER + "\nimport time; time.sleep(120)"), on_line=refuse)
        assert not psutil.pid_exists(pids[0])

    def test_the_tree_ends_when_the_caller_is_killed(self) -> None:
        caller = subprocess.Popen(
            python(
                """
                import sys
                from labsupport.processes import run_group
                run_group([sys.executable, "-c", sys.argv[1]], on_line=lambda line: print(line, flush=True))
                """,
                DAEMONISER + "\nimport time; time.sleep(120)",
            ),
            stdout=subprocess.PIPE,
            text=True,
        )
        with caller:
            assert caller.stdout is not None
            daemon = psutil.Process(int(caller.stdout.readline()))
            family = psutil.Process(caller.pid).children(recursive=True)
            caller.kill()
        assert len(family) >= 3  # the keeper, the command, the daemon
        assert becomes(lambda: all(gone(process) for process in family))
        assert gone(daemon)

    def test_commands_in_threads_do_not_end_one_another(self) -> None:
        results = {}

        def run(name: str, seconds: float) -> None:
            code = f"import subprocess; print(subprocess.call(['sleep', '{seconds}']))"
            results[name] = run_group(python(code))

        threads = [threading.Thread(target=run, args=(f"{s}", s)) for s in (0.1, 0.5, 1.0)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {name: done.stdout for name, done in results.items()} == {"0.1": "0\n", "0.5": "0\n", "1.0": "0\n"}
        assert all(done.ended == () for done in results.values())

    def test_a_process_of_ours_that_is_not_the_commands_survives(self, bystander: subprocess.Popen[bytes]) -> None:
        run_group(python(DAEMONISER))
        assert bystander.poll() is None

    def test_much_output_on_both_streams_is_complete(self) -> None:
        code = "import sys\nfor _ in range(2000): print('x' * 99); print('y' * 99, file=sys.stderr)"
        done = run_group(python(code))
        assert (len(done.stdout), len(done.stderr)) == (200_000, 200_000)

    @pytest.mark.parametrize(
        ("argv", "cwd"), [(["no-such-binary-here"], None), ([sys.executable, "-c", ""], "/no/such/folder")]
    )
    def test_a_command_that_cannot_start_is_one_clear_line(self, argv: list[str], cwd: str | None) -> None:
        with pytest.raises(LabsError, match="cannot be started"):
            run_group(argv, cwd=cwd)

    def test_a_string_is_refused_because_nothing_splits_it(self) -> None:
        with pytest.raises(AssertionError, match="list of words"):
            run_group("sleep 1")

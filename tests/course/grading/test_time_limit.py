"""Whatever a call does, it ends at its limit, and the process is as it was before."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest

from labsupport.course.grading.time_limit import TimeLimitReached, call_within

LIMIT_S = 0.1


def endless() -> None:
    while True:
        pass


def swallowing_exceptions() -> None:
    while True:
        try:
            time.sleep(0.001)
        except Exception:
            continue


def swallowing_everything() -> None:
    while True:
        try:
            time.sleep(60)
        except:  # noqa: E722
            continue


def swallowing_at_two_levels() -> None:
    while True:
        try:
            swallowing_everything()
        except:  # noqa: E722
            continue


def swallowing_twice_in_one_frame() -> None:
    while True:
        try:
            try:
                sum(range(1000))
            except:  # noqa: E722
                sum(range(1000))
        except:  # noqa: E722
            sum(range(1000))


def endless_in_finally() -> None:
    try:
        endless()
    finally:
        endless()


def deep() -> None:
    def descend(left: int) -> None:
        return descend(left - 1) if left else endless()

    descend(500)


def endless_in_with() -> None:
    with threading.Lock():
        try:
            endless()
        finally:
            swallowing_everything()


def late_with_a_result() -> int:
    try:
        endless()
    except BaseException:
        return 5
    return 6


@pytest.mark.parametrize(
    "call",
    [
        endless,
        swallowing_exceptions,
        swallowing_everything,
        swallowing_at_two_levels,
        swallowing_twice_in_one_frame,
        endless_in_finally,
        deep,
        endless_in_with,
        late_with_a_result,
    ],
)
def test_a_call_that_does_not_end_is_stopped(call: Callable[[], object]) -> None:
    with pytest.raises(TimeLimitReached, match=r"stopped after 0\.1 s"):
        call_within(LIMIT_S, call)
    assert sys.exc_info() == (None, None, None), "no later error is shown as raised while handling this one"


def test_what_the_call_holds_is_released() -> None:
    lock = threading.Lock()
    seen: list[str] = []

    def hold() -> None:
        try:
            with lock:
                endless()
        finally:
            seen.append("finally")

    with pytest.raises(TimeLimitReached):
        call_within(LIMIT_S, hold)
    assert not lock.locked()
    assert seen == ["finally"]


def test_a_result_in_time_is_returned() -> None:
    assert call_within(60, lambda: 7) == 7


def test_an_error_in_time_is_raised_as_it_is() -> None:
    with pytest.raises(KeyError, match="gone"):
        call_within(60, lambda: {}["gone"])


def test_handler_trace_and_profile_are_put_back() -> None:
    def handler(*_: object) -> None: ...

    def trace(*_: object) -> None: ...

    before = signal.signal(signal.SIGALRM, handler)
    trace_before, profile_before = sys.gettrace(), sys.getprofile()
    sys.settrace(trace)
    try:
        with pytest.raises(TimeLimitReached):
            call_within(LIMIT_S, swallowing_everything)
        found = (signal.getsignal(signal.SIGALRM), sys.gettrace(), sys.getprofile())
    finally:
        sys.settrace(trace_before)
        signal.signal(signal.SIGALRM, before)
    assert found == (handler, trace, profile_before)


def test_a_timer_that_ran_before_runs_on() -> None:
    fired: list[int] = []
    handler_before = signal.signal(signal.SIGALRM, lambda *_: fired.append(1))
    timer_before = signal.setitimer(signal.ITIMER_REAL, 1000, 7)
    try:
        call_within(60, lambda: time.sleep(0.05))
        left_s, interval_s = signal.setitimer(signal.ITIMER_REAL, 0)
        assert 990 < left_s < 1000, "the time of the call counts"
        assert interval_s == pytest.approx(7)

        signal.setitimer(signal.ITIMER_REAL, 0.01)
        call_within(60, lambda: time.sleep(0.1))
        deadline_s = time.monotonic() + 10
        while not fired and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert fired, "a timer that ran out during the call fires after it"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler_before)
        signal.setitimer(signal.ITIMER_REAL, *timer_before)


def test_the_inner_of_two_limits_stops_first_and_the_outer_stays() -> None:
    def inner() -> None:
        with pytest.raises(TimeLimitReached):
            call_within(LIMIT_S, endless)
        endless()

    with pytest.raises(TimeLimitReached, match=r"stopped after 0\.3 s"):
        call_within(0.3, inner)


def _in_thread(call: Callable[[], object]) -> list[object]:
    found: list[object] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found


def test_outside_the_main_thread_the_call_is_abandoned() -> None:
    stop = threading.Event()
    try:
        (error,) = _in_thread(lambda: call_within(LIMIT_S, stop.wait))
    finally:
        stop.set()
    assert isinstance(error, TimeLimitReached)


def test_outside_the_main_thread_results_and_errors_arrive() -> None:
    assert _in_thread(lambda: call_within(60, lambda: 7)) == [7]
    (error,) = _in_thread(lambda: call_within(60, lambda: {}["gone"]))
    assert isinstance(error, KeyError)


@pytest.mark.parametrize("limit_s", [0, -1])
def test_a_limit_that_would_disarm_the_timer_is_refused(limit_s: float) -> None:
    with pytest.raises(AssertionError, match="positive number of seconds"):
        call_within(limit_s, endless)

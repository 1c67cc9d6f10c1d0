"""Ranks in processes of their own compute what they compute in one, and can tell each other nothing but messages."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest

from labsupport.course.grading.judging import judge_answer, shared
from labsupport.course.grading.rank_processes import RankError, rank_processes
from labsupport.course.grading.time_limit import TimeLimitReached, call_within
from labsupport.course.grading.verdict import Criterion
from labsupport.training.collectives import RingError, RingRun, ring_all_reduce, run_in_lockstep


def arrays(world_size: int, length: int = 6) -> list[np.ndarray]:
    draw = np.random.default_rng([world_size, length])
    return [draw.standard_normal(length) for _ in range(world_size)]


def run(program: Callable[..., Any], inputs: list[np.ndarray]) -> RingRun:
    with rank_processes(program, len(inputs)) as apart:
        return run_in_lockstep(apart, inputs)


@pytest.fixture(autouse=True)
def _no_child_is_left():
    yield
    assert psutil.Process().children(recursive=True) == []


def test_ranks_apart_do_what_they_do_in_one_process():
    with rank_processes(ring_all_reduce, 4) as apart:
        for world_size in (4, 1, 3):
            together = run_in_lockstep(ring_all_reduce, arrays(world_size))
            result = run_in_lockstep(apart, arrays(world_size))
            assert (result.steps, result.bytes_sent) == (together.steps, together.bytes_sent)
            for one, other in zip(result.outputs, together.outputs, strict=True):
                assert one.tobytes() == other.tobytes()


_common: dict[int, np.ndarray] = {}


def through_a_global(rank: int, world_size: int, values: np.ndarray):
    _common[rank] = values
    yield values[:0]
    return sum(_common.values())


def through_a_default(rank: int, world_size: int, values: np.ndarray, seen: dict = {}):  # noqa: B006
    seen[rank] = values
    yield values[:0]
    return sum(seen.values())


def through_a_function(rank: int, world_size: int, values: np.ndarray):
    through_a_function.total = getattr(through_a_function, "total", 0) + values  # type: ignore[attr-defined]
    yield values[:0]
    return through_a_function.total  # type: ignore[attr-defined]


def through_numpys_generator(rank: int, world_size: int, values: np.ndarray):
    if rank == 0:
        np.random.seed(int(abs(values[0]) * 1e6))
    yield values[:0]
    return np.random.standard_normal(len(values))


@pytest.mark.parametrize("program", [through_a_global, through_a_default, through_a_function, through_numpys_generator])
def test_memory_of_a_process_is_no_message(program: Callable[..., Any]):
    result = run(program, arrays(3))
    assert result.steps == 1
    assert all(output.tobytes() != result.outputs[0].tobytes() for output in result.outputs[1:])


def test_a_pipe_that_was_open_before_is_closed_in_a_rank():
    read, write = os.pipe()

    def talks(rank: int, world_size: int, values: np.ndarray):
        if rank == 0:
            os.write(write, values.tobytes())
        yield values[:0]
        return np.frombuffer(os.read(read, 8 * len(values)))

    try:
        with pytest.raises(RankError, match=r"rank 0 of 2: OSError: .*Bad file descriptor"):
            run(talks, arrays(2))
    finally:
        os.close(read)
        os.close(write)


def test_an_empty_array_says_nothing_not_even_in_its_type_or_shape():
    def sends_its_type(rank: int, world_size: int, values: np.ndarray):
        received = yield values[:0].astype("float32")
        return received

    def sends_its_shape(rank: int, world_size: int, values: np.ndarray):
        yield np.empty((0, 1234))
        return values

    result = run(sends_its_type, arrays(2))
    assert [output.dtype.str for output in result.outputs] == ["<f8", "<f8"]
    with pytest.raises(RankError, match=r"sent an array of shape \(0, 1234\), not an array of numbers with one"):
        run(sends_its_shape, arrays(2))


@pytest.mark.parametrize("message", [[1.0], None, np.array([object()]), np.array(["text"])])
def test_only_arrays_of_numbers_are_sent(message: object):
    def program(rank: int, world_size: int, values: np.ndarray):
        yield message
        return values

    with pytest.raises(RankError, match=r"TypeError: sent .*not an array of numbers with one dimension"):
        run(program, arrays(2))


def test_what_a_rank_writes_into_its_input_is_seen():
    def writes(rank: int, world_size: int, values: np.ndarray):
        values += rank
        yield values
        return values

    inputs = [np.zeros(2), np.zeros(2)]
    run(writes, inputs)
    assert [list(values) for values in inputs] == [[0, 0], [1, 1]]


def test_a_ring_that_failed_leaves_the_ranks_to_the_next_one():
    def stops_early(rank: int, world_size: int, values: np.ndarray):
        if len(values) == 3 and rank == 1:
            return values
        yield values
        return values

    with rank_processes(stops_early, 3) as apart:
        with pytest.raises(RingError, match="rank 1 of 3 has finished and rank 0 still sends"):
            run_in_lockstep(apart, arrays(3, 3))
        assert run_in_lockstep(apart, arrays(3, 4)).steps == 1


CRITERIA = [Criterion("runs", "it runs", lambda program: run(program, arrays(2)), hint="look at your line")]


def test_an_error_in_a_rank_is_shown_with_the_learners_line_and_what_it_printed():
    def typo(rank: int, world_size: int, values: np.ndarray):
        print("at", rank)
        yield vlaues  # noqa: F821

    (outcome,) = judge_answer("1.3", typo, CRITERIA, 10).outcomes
    line = typo.__code__.co_firstlineno + 2
    assert outcome.note.splitlines() == [
        "RankError: rank 0 of 2: NameError: name 'vlaues' is not defined",
        f"line {line}: yield vlaues  # noqa: F821",
        "hint: look at your line",
        "the answer printed:",
        "  at 0",
    ]


def test_a_stub_is_a_stub_in_another_process_too():
    def stub(rank: int, world_size: int, values: np.ndarray):
        raise NotImplementedError("exercise 1.3: your code here")
        yield

    assert judge_answer("1.3", stub, CRITERIA, 10).status == "not attempted"


def test_a_function_that_is_no_generator_is_told_so():
    with pytest.raises(RankError, match="the function returned ndarray; write it as a generator"):
        run(lambda rank, world_size, values: values, arrays(2))


@pytest.mark.parametrize("end", [lambda: os._exit(3), lambda: os.kill(os.getpid(), signal.SIGKILL)])
def test_a_rank_that_ends_its_process_is_named(end: Callable[[], None]):
    def program(rank: int, world_size: int, values: np.ndarray):
        yield values
        if rank == 1:
            end()
        return values

    with pytest.raises(RankError, match="rank 1 of 2 ended its process"):
        run(program, arrays(2))


def test_an_endless_rank_is_stopped_at_the_limit():
    def endless(rank: int, world_size: int, values: np.ndarray):
        while True:
            pass
        yield

    with pytest.raises(TimeLimitReached):
        call_within(0.3, lambda: run(endless, arrays(2)))


def test_a_rank_dies_with_the_process_that_checks():
    pid = os.fork()
    if pid == 0:
        with rank_processes(ring_all_reduce, 1):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    deadline_s = time.monotonic() + 10
    while psutil.Process().children(recursive=True) and time.monotonic() < deadline_s:
        time.sleep(0.01)


def test_criteria_share_what_was_computed_once_and_only_within_a_check():
    calls: list[object] = []

    @shared
    def measured(answer: Any) -> int:
        calls.append(answer)
        return len(calls)

    criteria = [Criterion(code, code, lambda answer: measured(answer) == len(calls)) for code in ("one", "two")]
    for number in (1, 2):
        assert judge_answer("1.3", 7, criteria, 10).status == "passed"
        assert len(calls) == number

"""Operations and accepted writes are recorded in order and said in words."""

from __future__ import annotations

import pytest

from labsupport.faults.histories.history import Accepted, Completion, History, Operation


def test_an_operation_is_pending_until_it_returns():
    history = History()
    number = history.invoke("c1", "write", "x", 1, at_s=2.0)
    assert not history.operation(number).succeeded
    assert str(history.operation(number)) == "write x = 1: pending"
    history.complete(number, None, Completion.OK, at_s=3.0)
    done = history.operation(number)
    assert (done.started_s, done.ended_s, done.succeeded) == (2.0, 3.0, True)


def test_calls_and_returns_are_numbered_in_the_order_of_their_recording():
    history = History()
    first = history.invoke("c1", "write", "x", 1, 0.0)
    second = history.invoke("c2", "read", "x", None, 0.0)
    history.complete(first, None, Completion.OK, 0.0)
    history.complete(second, 1, Completion.OK, 0.0)
    orders = [(operation.started_order, operation.ended_order) for operation in history.operations]
    assert orders == [(1, 3), (2, 4)]


def test_an_operation_returns_once():
    history = History()
    number = history.invoke("c1", "read", "x", None, 0.0)
    history.complete(number, 1, Completion.OK, 1.0)
    with pytest.raises(ValueError, match=r"operation 0 \(read x -> 1\): has returned already"):
        history.complete(number, 2, Completion.OK, 2.0)


def test_a_return_with_unknown_end_did_not_succeed():
    history = History()
    number = history.invoke("c1", "write", "x", 1, 0.0)
    history.complete(number, None, Completion.UNKNOWN, 1.0)
    assert not history.operation(number).succeeded


@pytest.mark.parametrize(
    ("action", "argument", "result", "completion", "words"),
    [
        ("read", None, None, Completion.OK, "read x -> None"),
        ("read", None, {"b", "a"}, Completion.OK, "read x -> {'a', 'b'}"),
        ("write", 1, "whatever", Completion.OK, "write x = 1: ok"),
        ("write", 1, None, Completion.UNKNOWN, "write x = 1: unknown"),
        ("cas", (1, 2), False, Completion.OK, "cas x from 1 to 2 -> False"),
        ("cas", (1, 2), None, Completion.FAILED, "cas x from 1 to 2: failed"),
    ],
)
def test_an_operation_is_said_in_words(action, argument, result, completion, words):
    assert str(Operation("c", action, "x", argument, 0.0, 1.0, result, completion)) == words


def test_accepted_writes_are_kept_in_order():
    history = History()
    history.accept("store", 1, "a", 0.5)
    history.accept("store", 2, "b", 0.7)
    assert history.accepts == [Accepted("store", 1, "a", 0.5), Accepted("store", 2, "b", 0.7)]

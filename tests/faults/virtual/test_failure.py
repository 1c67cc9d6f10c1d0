"""A failure in words, with the line of the program that raised."""

from __future__ import annotations

import json

import pytest

from labsupport.faults.virtual.failure import MESSAGE_CHARS, Cause, Failure, line_of, message_of


def test_a_failure_says_what_when_and_where():
    failure = Failure(Cause.ERROR, "a", "KeyError: 3", 1.25, 1234, "line 7: leases[3]")
    assert str(failure) == "error in the code at 1.250 s, event 1,234: a: KeyError: 3 (line 7: leases[3])"


def test_two_failures_are_one_bug_if_the_same_thing_breaks_at_another_time():
    one, other = (Failure(Cause.INVARIANT, "no lost write", f"lost {n}", float(n), n) for n in (1, 2))
    assert one.bug == other.bug != Failure(Cause.INVARIANT, "one leader", "two", 1.0, 1).bug


def test_the_line_is_the_innermost_of_the_program():
    with pytest.raises(ValueError, match="Expecting") as raised:
        json.loads("{")
    assert line_of(raised.value).endswith('json.loads("{")')


def test_an_error_without_a_line_of_the_program_has_none():
    assert line_of(ValueError("never raised")) == ""


def test_messages_are_on_one_line_and_short():
    assert message_of(ValueError("a\n  b")) == "ValueError: a b"
    assert message_of(ValueError()) == "ValueError"
    assert len(message_of(ValueError("x" * 10_000))) < MESSAGE_CHARS + 30

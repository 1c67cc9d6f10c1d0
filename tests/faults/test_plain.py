"""Messages share nothing, read the same everywhere, and have a size."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from labsupport.errors import LabsError
from labsupport.faults.plain import TEXT_CHARS, copied, size_bytes, text_of


@dataclass
class Vote:
    term: int
    seen: list[str] = field(default_factory=list)


@pytest.mark.parametrize(
    "message", [None, 1, 2.5, "text", b"bytes", {"a": [1, (2, {3})]}, frozenset({1}), Vote(3, ["a"]), [], {}]
)
def test_a_copy_is_equal(message):
    assert copied(message) == message
    assert type(copied(message)) is type(message)


def test_a_copy_shares_nothing_that_changes():
    message = {"list": [1], "nested": {"set": {1}}, "tuple": ([1],), "vote": Vote(1)}
    copy = copied(message)
    copy["list"].append(2)
    copy["nested"]["set"].add(2)
    copy["tuple"][0].append(2)
    copy["vote"].seen.append("a")
    assert message == {"list": [1], "nested": {"set": {1}}, "tuple": ([1],), "vote": Vote(1)}


def test_what_cannot_be_copied_is_refused_with_what_can():
    with pytest.raises(LabsError, match=r"cannot be copied .*; send numbers, text, collections or dataclasses"):
        copied({"lock": threading.Lock()})


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"b": 1, "a": [None, True]}, "{'b': 1, 'a': [None, True]}"),
        ({"one", "two", "three"}, "{'one', 'three', 'two'}"),
        ((1,), "(1,)"),
        (0.1 + 0.2, "0.3"),
        (Vote(3, ["a"]), "Vote(term=3, seen=['a'])"),
        (b"short", "b'short'"),
        (b"x" * 2000, "<2,000 bytes>"),
    ],
)
def test_the_text_of_a_message_is_short_and_in_order(message, text):
    assert text_of(message) == text


def test_the_text_has_no_address_no_line_break_and_an_end():
    class Odd:
        def __repr__(self):
            return f"<Odd\nat 0x{id(self):x}>"

    assert text_of(object()) == "<object object>"
    assert text_of(Odd()) == "<Odd>"
    assert len(text_of("x" * 10_000)) <= TEXT_CHARS + 3


def test_larger_messages_have_more_bytes():
    assert size_bytes("é") == size_bytes(b"12")
    assert size_bytes([1, 2]) == size_bytes([1]) + size_bytes(2)
    assert size_bytes({"a": b"x" * 100}) > 100
    assert size_bytes(Vote(1, ["abc"])) > size_bytes(Vote(1))

"""A table of words is read from the left, and shows what it is given."""

from __future__ import annotations

import pytest

from labsupport.course.display.word_table import WordTable, code_as_html


def test_words_stand_left_and_numbers_right():
    html = WordTable([("ready", 3)], ["state", "count"])._repr_mimebundle_()["text/html"]
    assert 'text-align:left">ready</td>' in html
    assert 'text-align:right">3</td>' in html


def test_the_plain_form_has_every_cell_in_its_column():
    assert repr(WordTable([("a", 0.123456), ("longer", True)], ["word", "n"])) == (
        "word    n\n------  ------\na       0.1235\nlonger  True"
    )


def test_a_row_of_another_length_is_named():
    with pytest.raises(ValueError, match="has 1 cells, the table 2 columns"):
        WordTable([("alone",)], ["one", "two"])


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("run `labs lab 1`", "run <code>labs lab 1</code>"),
        ("`a` and `<b>`", "<code>a</code> and <code>&lt;b&gt;</code>"),
        ("a ` alone", "a ` alone"),
        ("<script>", "&lt;script&gt;"),
    ],
)
def test_text_between_backticks_is_code_and_nothing_becomes_markup(text, html):
    assert code_as_html(text) == html

"""A figure offers an interactive and a static form of the same data, and the learner's guess if there is one."""

from __future__ import annotations

import base64

from labsupport.course.display.figures import PLOTLY_MIME, BarFigure, Line, LineFigure, format_guess

PNG = b"\x89PNG"


def figure(**changes) -> LineFigure:
    lines = {"one": Line([1, 2], [3.0, 4.0]), "other": Line([1, 2], [1.0, 2.0], spread=[0.1, 0.2])}
    return LineFigure(**{"title": "t", "x_label": "x", "y_label": "y", "lines": lines, "caption": "measured"} | changes)


def test_both_forms_hold_the_same_curves_and_the_caption():
    bundle = figure()._repr_mimebundle_()
    one, other = bundle[PLOTLY_MIME]["data"]
    assert (one["name"], one["y"]) == ("one", [3.0, 4.0])
    assert other["error_y"]["array"] == [0.1, 0.2]
    assert "measured" in str(bundle[PLOTLY_MIME]["layout"])
    assert base64.b64decode(bundle["image/png"]).startswith(PNG)
    assert "measured" in bundle["text/plain"]


def test_a_guess_is_drawn_and_a_missing_one_is_not():
    assert figure(guess=2.0)._repr_mimebundle_()[PLOTLY_MIME]["layout"]["shapes"]
    assert figure()._repr_mimebundle_()[PLOTLY_MIME]["layout"]["shapes"] == []


def test_a_guess_that_is_no_number_is_not_drawn_and_stops_no_lab():
    for guess in ("about 3", None, float("nan")):
        assert figure(guess=guess)._repr_mimebundle_()[PLOTLY_MIME]["layout"]["shapes"] == []
    assert figure(guess=-1.0, log_y=True)._repr_mimebundle_()[PLOTLY_MIME]["layout"]["shapes"] == []


def test_on_a_log_axis_the_line_of_a_guess_has_its_value_and_the_name_its_exponent():
    layout = figure(guess=100.0, log_y=True)._repr_mimebundle_()[PLOTLY_MIME]["layout"]
    assert layout["shapes"][0]["y0"] == 100.0
    assert layout["annotations"][0]["y"] == 2.0


def test_a_guess_is_told_as_it_was_written_and_a_missing_one_in_words():
    assert (format_guess(15.0), format_guess("soon"), format_guess(...)) == ("15.0", "soon", "none given")


def test_equal_data_give_equal_bytes():
    assert figure()._repr_mimebundle_() == figure()._repr_mimebundle_()


def test_bars_add_up_from_left_to_right():
    bundle = BarFigure("t", "s", {"run": {"wait": 1.0, "work": 2.0}}, "measured")._repr_mimebundle_()
    assert [trace["x"] for trace in bundle[PLOTLY_MIME]["data"]] == [[1.0], [2.0]]
    assert bundle[PLOTLY_MIME]["layout"]["barmode"] == "stack"
    assert base64.b64decode(bundle["image/png"]).startswith(PNG)

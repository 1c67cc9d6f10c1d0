"""A figure offers an interactive and a static form of the same data, and the learner's guess if there is one."""

from __future__ import annotations

import base64

from labsupport.course.figures import PLOTLY_MIME, BarFigure, Line, LineFigure

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


def test_equal_data_give_equal_bytes():
    assert figure()._repr_mimebundle_() == figure()._repr_mimebundle_()


def test_bars_add_up_from_left_to_right():
    bundle = BarFigure("t", "s", {"run": {"wait": 1.0, "work": 2.0}}, "measured")._repr_mimebundle_()
    assert [trace["x"] for trace in bundle[PLOTLY_MIME]["data"]] == [[1.0], [2.0]]
    assert bundle[PLOTLY_MIME]["layout"]["barmode"] == "stack"
    assert base64.b64decode(bundle["image/png"]).startswith(PNG)

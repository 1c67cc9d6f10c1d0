"""Figures that are interactive in JupyterLab and still readable on a code host.

A figure is data; displaying it offers Plotly's JSON and a PNG made by matplotlib from the same data. A code host and
the HTML report show the PNG; so does JupyterLab, until a pointer rests on it and Plotly takes its place. Both forms are
therefore dark on white and equally high, also in a dark theme: nothing jumps. The caption says whether the numbers were
measured.

Limitations: lines, markers and horizontal bars only, without animation; a lab that needs more builds its own figure and
shows a static one beside it.
"""

from __future__ import annotations

import base64
import io
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, Literal

PLOTLY_MIME = "application/vnd.plotly.v1+json"
# Okabe and Ito's palette: told apart with every common colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
PAPER, TEXT, MUTED = "#FFFFFF", "#222222", "#555555"  # contrast with the paper: 15.9 and 7.5
GUESS = "your guess"
SIZE_INCHES = (7.5, 3.6)
DPI = 110
PLAIN_LOG_SPAN = 100  # powers of ten alone would label a log axis of less than two decades once or twice
WHOLE_SPAN = 10  # up to here Plotly would put halves between whole numbers such as epochs


@dataclass(frozen=True)
class Line:
    """One curve: `marks` shows points instead of a line, `spread` a half-width for error bars."""

    x: Sequence[float]
    y: Sequence[float]
    marks: bool = False
    dashed: bool = False
    spread: Sequence[float] | None = None


class Figure(ABC):
    """What both kinds of figure offer a cell: the picture, the same for Plotly, and a line of text without either."""

    title: str
    caption: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {
            "text/plain": f"{self.title}: {self.caption}",
            "image/png": self._png(),
            PLOTLY_MIME: self._plotly(),
        }

    @abstractmethod
    def _png(self) -> str: ...

    @abstractmethod
    def _plotly(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class LineFigure(Figure):
    """Curves over one axis, with the learner's guess as a horizontal line."""

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, Line]
    caption: str
    log_x: bool = False
    log_y: bool = False
    guess: float | EllipsisType = ...
    events: Mapping[str, float] = field(default_factory=dict)  # name -> x, drawn as a vertical line

    def _png(self) -> str:
        axes, save = _axes(self.title, self.caption)
        for (name, line), colour in zip(self.lines.items(), _colours(), strict=False):
            style = {"color": colour, "label": name}
            if line.spread is not None:
                axes.errorbar(line.x, line.y, yerr=line.spread, fmt="o", capsize=3, **style)
            elif line.marks:
                axes.plot(line.x, line.y, "o", **style)
            else:
                axes.plot(line.x, line.y, "--" if line.dashed else "-", linewidth=1.8, **style)
        if (guess := _drawable(self.guess, self.log_y)) is not None:
            axes.axhline(guess, color=MUTED, linestyle=":", label=GUESS)
        for name, position in self.events.items():
            axes.axvline(position, color=MUTED, linewidth=1)
            axes.annotate(name, (position, 1), xycoords=("data", "axes fraction"), xytext=(4, -12),
                          textcoords="offset points", fontsize=8, color=MUTED)  # fmt: skip
        axes.set_xlabel(self.x_label)
        axes.set_ylabel(self.y_label)
        if self.log_x:
            _make_log(axes, axes.xaxis)
        elif self._whole_x():
            axes.xaxis.get_major_locator().set_params(integer=True)
        if self.log_y:
            _make_log(axes, axes.yaxis)
        axes.legend(frameon=False, fontsize=9)
        return save()

    def _plotly(self) -> dict[str, Any]:
        traces: list[dict[str, Any]] = []
        for (name, line), colour in zip(self.lines.items(), _colours(), strict=False):
            trace: dict[str, Any] = {
                "type": "scatter", "name": name, "x": _plain(line.x), "y": _plain(line.y),
                "mode": "markers" if line.marks or line.spread is not None else "lines",
                "line": {"color": colour, "dash": "dash" if line.dashed else "solid"}, "marker": {"color": colour},
            }  # fmt: skip
            if line.spread is not None:
                trace["error_y"] = {"type": "data", "array": _plain(line.spread)}
            traces.append(trace)
        # Plotly takes data values for a shape on a log axis, and exponents for an annotation.
        shapes = [_rule("x", x) for x in self.events.values()]
        notes = [_note("x", math.log10(x) if self.log_x else x, name) for name, x in self.events.items()]
        if (guess := _drawable(self.guess, self.log_y)) is not None:
            shapes.append(_rule("y", guess, dash="dot"))
            notes.append(_note("y", math.log10(guess) if self.log_y else guess, GUESS))
        x_axis: dict[str, Any] = {"title": {"text": self.x_label}, "type": "log" if self.log_x else "linear"}
        if self._whole_x() and self._x_span() <= WHOLE_SPAN:
            x_axis["dtick"] = 1
        layout = _layout(self.title, self.caption) | {
            "xaxis": x_axis,
            "yaxis": {"title": {"text": self.y_label}, "type": "log" if self.log_y else "linear", "automargin": True},
            "shapes": shapes,
            "annotations": notes,
        }
        return {"data": traces, "layout": layout}

    def _whole_x(self) -> bool:
        return not self.log_x and all(float(x).is_integer() for line in self.lines.values() for x in line.x)

    def _x_span(self) -> float:
        values = [x for line in self.lines.values() for x in line.x]
        return max(values) - min(values) if values else 0.0


@dataclass(frozen=True)
class BarFigure(Figure):
    """Horizontal bars that add up from left to right: where a time or a budget went."""

    title: str
    x_label: str
    bars: Mapping[str, Mapping[str, float]]  # row -> part -> value; rows share the order of parts
    caption: str
    guess: float | EllipsisType = ...

    def _parts(self) -> list[str]:
        return list(dict.fromkeys(part for row in self.bars.values() for part in row))

    def _png(self) -> str:
        axes, save = _axes(self.title, self.caption, self._height_inches())
        left = dict.fromkeys(self.bars, 0.0)
        for part, colour in zip(self._parts(), _colours(), strict=False):
            values = [row.get(part, 0.0) for row in self.bars.values()]
            axes.barh(list(self.bars), values, left=list(left.values()), color=colour, label=part, height=0.6)
            left = {name: left[name] + value for name, value in zip(self.bars, values, strict=True)}
        if (guess := _drawable(self.guess)) is not None:
            axes.axvline(guess, color=MUTED, linestyle=":", label=GUESS)
        axes.invert_yaxis()
        axes.set_xlabel(self.x_label)
        axes.figure.legend(frameon=False, fontsize=9, loc="outside right center")  # higher, it would meet a long title
        return save()

    def _plotly(self) -> dict[str, Any]:
        traces = [
            {
                "type": "bar", "orientation": "h", "name": part, "marker": {"color": colour},
                "y": list(self.bars), "x": [float(row.get(part, 0.0)) for row in self.bars.values()],
            }
            for part, colour in zip(self._parts(), _colours(), strict=False)
        ]  # fmt: skip
        guess = _drawable(self.guess)
        layout = _layout(self.title, self.caption, self._height_inches()) | {
            "barmode": "stack",
            "xaxis": {"title": {"text": self.x_label}},
            "yaxis": {"autorange": "reversed", "automargin": True},
            "shapes": [] if guess is None else [_rule("x", guess, dash="dot")],
            "annotations": [] if guess is None else [_note("x", guess, GUESS)],
        }
        return {"data": traces, "layout": layout}

    def _height_inches(self) -> float:
        return 1.6 + 0.5 * len(self.bars)


def _axes(title: str, caption: str, height: float = SIZE_INCHES[1]) -> tuple[Any, Any]:
    """Return matplotlib axes and a function that renders them; no global state of pyplot is touched."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE_INCHES[0], height), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(caption, fontsize=8, color=MUTED, x=0.01, ha="left")

    def save() -> str:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return base64.b64encode(buffer.getvalue()).decode()

    return axes, save


def _make_log(axes: Any, axis: Any) -> None:
    """Turn an axis that is drawn on already into a logarithmic one, with labels that can be told apart."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    name = axis.axis_name
    getattr(axes, f"set_{name}scale")("log")
    low, high = getattr(axes, f"get_{name}lim")()
    axis.set_minor_formatter(NullFormatter())
    if high / low <= PLAIN_LOG_SPAN:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))


def _layout(title: str, caption: str, height: float = SIZE_INCHES[1]) -> dict[str, Any]:
    return {
        "title": {
            "text": f"{title}<br><sub>{caption}</sub>",
            "font": {"size": 16},
            "x": 0.01,
            "y": 1,
            "pad": {"t": 14},
            "yanchor": "top",
        },
        "template": None,  # Plotly's default template is 6.5 kB in every stored figure
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "font": {"color": TEXT},
        "height": round(height * DPI),
        "margin": {"t": 80, "r": 20, "b": 80, "l": 60},
        # Below the plot: beside it, a long name would take a third of the width.
        "showlegend": True,
        "legend": {"orientation": "h", "traceorder": "normal", "x": 0, "y": 0.01, "yref": "container"},
    }


def _rule(axis: Literal["x", "y"], position: float, dash: str = "solid") -> dict[str, Any]:
    """Return a line across the plot at a position on one axis."""
    other = "y" if axis == "x" else "x"
    line = {"color": MUTED, "width": 1.5, "dash": dash}
    ends = {f"{axis}0": position, f"{axis}1": position, f"{other}0": 0, f"{other}1": 1}
    return {"type": "line", f"{axis}ref": axis, f"{other}ref": "paper", "line": line} | ends


def _note(axis: Literal["x", "y"], position: float, text: str) -> dict[str, Any]:
    """Return the name of a line that `_rule` draws, above its upper end or on its right end."""
    place = {"xanchor": "center" if axis == "x" else "right", "yanchor": "bottom"}
    other = "y" if axis == "x" else "x"
    return {axis: position, other: 1, f"{axis}ref": axis, f"{other}ref": "paper", "text": text,
            "showarrow": False, "font": {"color": MUTED}} | place  # fmt: skip


def format_guess(guess: object) -> str:
    """Return a learner's guess in words, for a sentence that compares it; a cell not filled in holds an ellipsis."""
    return "none given" if guess is ... else str(guess)


def _drawable(guess: object, log: bool = False) -> float | None:
    """Return a guess as a number; one that is missing or no number is not drawn, and stops no lab."""
    try:
        number = float(guess)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and (number > 0 or not log) else None


def _colours() -> list[str]:
    return list(COLOURS) * 4


def _plain(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]

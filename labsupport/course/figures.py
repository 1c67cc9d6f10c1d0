"""Figures that are interactive in JupyterLab and still readable on a code host.

A figure is data; displaying it offers Plotly's JSON and a PNG made by matplotlib from the same data. JupyterLab takes
the first, a code host and the HTML report the second. The caption says whether the numbers were measured.

What is not covered: widgets, animation and anything but lines, markers and horizontal bars: a lab that needs more
builds its own figure and shows a static one beside it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any

PLOTLY_MIME = "application/vnd.plotly.v1+json"
# Okabe and Ito's palette: told apart with every common colour blindness, readable on light and dark pages.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SIZE_INCHES = (7.5, 3.6)
DPI = 110


@dataclass(frozen=True)
class Line:
    """One curve: `marks` shows points instead of a line, `spread` a half-width for error bars."""

    x: Sequence[float]
    y: Sequence[float]
    marks: bool = False
    dashed: bool = False
    spread: Sequence[float] | None = None


@dataclass(frozen=True)
class LineFigure:
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

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {
            "text/plain": f"{self.title}: {self.caption}",
            "image/png": self._png(),
            PLOTLY_MIME: self._plotly(),
        }

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
        if not isinstance(self.guess, EllipsisType):
            axes.axhline(self.guess, color="#888888", linestyle=":", label="your guess")
        for name, position in self.events.items():
            axes.axvline(position, color="#888888", linewidth=1)
            axes.annotate(name, (position, 1), xycoords=("data", "axes fraction"), xytext=(4, -12),
                          textcoords="offset points", fontsize=8, color="#555555")  # fmt: skip
        axes.set_xlabel(self.x_label)
        axes.set_ylabel(self.y_label)
        axes.set_xscale("log" if self.log_x else "linear")
        axes.set_yscale("log" if self.log_y else "linear")
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
        shapes = [
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": x,
                "x1": x,
                "y0": 0,
                "y1": 1,
                "line": {"color": "#888"},
            }
            for x in self.events.values()
        ]
        notes = [
            {"x": x, "y": 1, "xref": "x", "yref": "paper", "text": name, "showarrow": False, "xanchor": "left"}
            for name, x in self.events.items()
        ]
        if not isinstance(self.guess, EllipsisType):
            shapes.append(
                {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": self.guess, "y1": self.guess,
                 "line": {"color": "#888", "dash": "dot"}}
            )  # fmt: skip
        layout = _layout(self.title, self.caption) | {
            "xaxis": {"title": {"text": self.x_label}, "type": "log" if self.log_x else "linear"},
            "yaxis": {"title": {"text": self.y_label}, "type": "log" if self.log_y else "linear"},
            "shapes": shapes,
            "annotations": notes,
        }
        return {"data": traces, "layout": layout}


@dataclass(frozen=True)
class BarFigure:
    """Horizontal bars that add up from left to right: where a time or a budget went."""

    title: str
    x_label: str
    bars: Mapping[str, Mapping[str, float]]  # row -> part -> value; rows share the order of parts
    caption: str
    guess: float | EllipsisType = ...

    def _parts(self) -> list[str]:
        return list(dict.fromkeys(part for row in self.bars.values() for part in row))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {
            "text/plain": f"{self.title}: {self.caption}",
            "image/png": self._png(),
            PLOTLY_MIME: self._plotly(),
        }

    def _png(self) -> str:
        axes, save = _axes(self.title, self.caption, height=1.6 + 0.5 * len(self.bars))
        left = dict.fromkeys(self.bars, 0.0)
        for part, colour in zip(self._parts(), _colours(), strict=False):
            values = [row.get(part, 0.0) for row in self.bars.values()]
            axes.barh(list(self.bars), values, left=list(left.values()), color=colour, label=part, height=0.6)
            left = {name: left[name] + value for name, value in zip(self.bars, values, strict=True)}
        if not isinstance(self.guess, EllipsisType):
            axes.axvline(self.guess, color="#888888", linestyle=":", label="your guess")
        axes.invert_yaxis()
        axes.set_xlabel(self.x_label)
        axes.figure.legend(frameon=False, fontsize=9, loc="outside right upper")
        return save()

    def _plotly(self) -> dict[str, Any]:
        traces = [
            {
                "type": "bar", "orientation": "h", "name": part, "marker": {"color": colour},
                "y": list(self.bars), "x": [float(row.get(part, 0.0)) for row in self.bars.values()],
            }
            for part, colour in zip(self._parts(), _colours(), strict=False)
        ]  # fmt: skip
        shapes = []
        if not isinstance(self.guess, EllipsisType):
            shapes = [{"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": self.guess, "x1": self.guess,
                       "line": {"color": "#888", "dash": "dot"}}]  # fmt: skip
        layout = _layout(self.title, self.caption) | {
            "barmode": "stack",
            "xaxis": {"title": {"text": self.x_label}},
            "yaxis": {"autorange": "reversed"},
            "shapes": shapes,
        }
        return {"data": traces, "layout": layout}


def _axes(title: str, caption: str, height: float = SIZE_INCHES[1]) -> tuple[Any, Any]:
    """Return matplotlib axes and a function that renders them; no global state of pyplot is touched."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE_INCHES[0], height), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(caption, fontsize=8, color="#555555", x=0.01, ha="left")

    def save() -> str:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return base64.b64encode(buffer.getvalue()).decode()

    return axes, save


def _layout(title: str, caption: str) -> dict[str, Any]:
    return {
        "title": {"text": f"{title}<br><sub>{caption}</sub>"},
        "template": None,  # Plotly's default template is 6.5 kB in every stored figure
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "#777777"},
        "height": 380,
        "margin": {"t": 70, "r": 20, "b": 50, "l": 60},
    }


def _colours() -> list[str]:
    return list(COLOURS) * 4


def _plain(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]

"""The few shapes that a timeline is made of. All text is escaped here, and only here."""

from __future__ import annotations

from html import escape

TIP_CHARS = 140  # a page has thousands of tips


def element(tag: str, content: str = "", **attributes: object) -> str:
    """Return one element; `content` is markup already, `class_` and `stroke_width` are written as SVG wants them."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for name, value in attributes.items()
        if value is not None and value != ""
    )
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def line(x1: float, y1: float, x2: float, y2: float, class_: str, tip: str = "") -> str:
    """Return a line, with what a reader sees when pointing at it."""
    return element("line", _tip(tip), x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def box(x: float, y: float, width: float, height: float, class_: str, tip: str = "") -> str:
    """Return a rectangle; one without width or height is still to be seen."""
    return element("rect", _tip(tip), x=x, y=y, width=max(width, 1.5), height=max(height, 1.5), class_=class_)


def dot(x: float, y: float, radius: float, class_: str, tip: str = "") -> str:
    """Return a disc."""
    return element("circle", _tip(tip), cx=x, cy=y, r=radius, class_=class_)


def label(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> str:
    """Return text on one line."""
    return element("text", escape(text), x=x, y=y, class_=class_, text_anchor=anchor)


def cross(x: float, y: float, class_: str, tip: str = "") -> str:
    """Return a small x."""
    return element("path", _tip(tip), d=f"M{x - 4:g} {y - 4:g}l8 8m0 -8l-8 8", class_=class_)


def arrow(x1: float, y1: float, x2: float, y2: float, class_: str, tip: str, *, late: bool) -> str:
    """Return a line with a head, which the page defines in both colours."""
    head = "url(#late-head)" if late else "url(#head)"
    return element("path", _tip(tip), d=f"M{x1:g} {y1:g}L{x2:g} {y2:g}", class_=class_, marker_end=head)


def cut(text: str, length: int) -> str:
    """Return text that is no longer than that, with an ellipsis where something is missing."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _tip(text: str) -> str:
    return f"<title>{escape(cut(text, TIP_CHARS))}</title>" if text else ""


def _value(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)

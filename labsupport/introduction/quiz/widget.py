"""Two ways to answer the quiz in a notebook: buttons, and a plain dictionary that works everywhere.

Stored notebooks show no widgets, and a headless run has nobody to click: the dictionary is what a lab relies on.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from labsupport.errors import LabsError
from labsupport.introduction.quiz.items import GROUPS, HIGHEST, ITEMS, LOWEST
from labsupport.introduction.quiz.placement import Placement, place

if TYPE_CHECKING:
    import ipywidgets


def answers_template() -> dict[str, int | None]:
    """Return a dictionary with every item, to be filled with ratings from 1 (novice) to 5 (expert)."""
    return {item.id: None for item in ITEMS}


def widget(on_change: Callable[[Placement], None]) -> ipywidgets.VBox:
    """Return one row of buttons per item; `on_change` gets the placement whenever all items are answered.

    No button is pressed at first: a rating that nobody gave would be counted.

    Raises:
        LabsError: ipywidgets is not installed.
    """
    try:
        import ipywidgets
    except ImportError as error:
        raise LabsError(
            "ipywidgets: not installed; fill in quiz.answers_template() and pass it to quiz.place(), or install it"
        ) from error
    answers = answers_template()
    state = ipywidgets.HTML()

    def show() -> None:
        given = {item_id: rating for item_id, rating in answers.items() if rating is not None}
        if len(given) < len(ITEMS):
            state.value = f"{len(given)} of {len(ITEMS)} answered"
            return
        placement = place(given)
        state.value = placement._repr_mimebundle_()["text/html"]
        on_change(placement)

    def row(item_id: str, text: str) -> ipywidgets.HBox:
        buttons = ipywidgets.ToggleButtons(options=range(LOWEST, HIGHEST + 1), value=None)
        buttons.style.button_width = "3em"

        def changed(change: Any) -> None:
            answers[item_id] = change["new"]
            show()

        buttons.observe(changed, names="value")
        label = ipywidgets.HTML(escape(text), layout=ipywidgets.Layout(width="24em"))
        return ipywidgets.HBox([label, buttons])

    rows: list[Any] = []
    for group in GROUPS:
        rows.append(ipywidgets.HTML(f"<strong>{escape(group.title)}</strong>: 1 novice to 5 expert"))
        rows += [row(item.id, item.text) for item in group.items]
    show()
    return ipywidgets.VBox([*rows, state])

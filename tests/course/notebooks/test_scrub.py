"""Outputs lose what belongs to the machine and keep everything else."""

from __future__ import annotations

import time
from typing import Any

import nbformat
import pytest

from labsupport.course.notebooks.scrub import scrub

FOLDERS = {"/home/ada": "~", "/home/ada/src/labs": "~/course"}


def scrubbed(*outputs: dict[str, Any]) -> list[Any]:
    cell = nbformat.v4.new_code_cell("x")
    cell.outputs = [nbformat.from_dict(output) for output in outputs]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("/home/ada"), cell])
    scrub(notebook, FOLDERS)
    assert notebook.cells[0].source == "/home/ada", "only outputs are cleaned"
    return list(cell.outputs)


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/home/ada/src/labs/checks/a.py:3", "~/course/checks/a.py:3"),
        ("wrote /home/ada/data.", "wrote ~/data."),
        ("it is in /home/ada.", "it is in ~."),
        ("/home/ada\nnext", "~\nnext"),
        ('"/home/ada"', '"~"'),
        ("/home/adam and http://host/home/ada", "/home/adam and http://host/home/ada"),
        ("\x1b[31mred\x1b[0m and \x1b[1;32mgreen\x1b[K", "red and green"),
        ("<object at 0x7f12ab34cd56>, mask 0xff", "<object at 0x...>, mask 0xff"),
        ('File "/tmp/ipykernel_77/2951.py", line 3', 'File "<cell>", line 3'),
        ("(/tmp/ipykernel_77/2951.py)", "(<cell>)"),
    ],
)
def test_text_is_cleaned(text: str, clean: str) -> None:
    assert scrubbed(stream(text))[0].text == clean


def test_a_printed_word_of_megabytes_costs_no_minutes() -> None:
    word = "x" * 200_000  # minutes, where the time is quadratic
    started_s = time.process_time()
    assert scrubbed(stream(word))[0].text == word
    assert time.process_time() - started_s < 5


def test_standard_error_is_dropped() -> None:
    assert [output.text for output in scrubbed(stream("noise", "stderr"), stream("kept"))] == ["kept"]


def test_json_is_cleaned_in_depth_and_images_are_left_alone() -> None:
    (output,) = scrubbed(
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {
                "application/vnd.x+json": {"rows": [{"note": "/home/ada/x", "n": 3}]},
                "image/png": "/home/ada/",
                "image/svg+xml": "<a>/home/ada/x</a>",
            },
        }
    )
    assert output.data["application/vnd.x+json"] == {"rows": [{"note": "~/x", "n": 3}]}
    assert output.data["image/png"] == "/home/ada/"
    assert output.data["image/svg+xml"] == "<a>~/x</a>"


def test_an_error_is_cleaned_too() -> None:
    (output,) = scrubbed(
        {"output_type": "error", "ename": "E", "evalue": "/home/ada/x", "traceback": ["\x1b[31m/home/ada/x"]}
    )
    assert (output.evalue, output.traceback) == ("~/x", ["~/x"])


def test_a_home_of_one_slash_is_not_replaced_everywhere() -> None:
    cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("stream", text="a / b /c")])
    scrub(nbformat.v4.new_notebook(cells=[cell]), {"/": "~"})
    assert cell.outputs[0].text == "a / b /c"

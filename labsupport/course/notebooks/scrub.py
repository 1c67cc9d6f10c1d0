"""Take out of a notebook's outputs what belongs to the machine that ran it.

A stored solution is read by everybody: it shows no home folder and no checkout path, no terminal colours, and nothing
of standard error, which carries timestamps, process ids and the chatter of libraries. What matters there is printed.

Limitations: images are left alone, and so is what the code itself prints about the machine, such as its host name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labsupport.course.display.printed import ADDRESS, ANSI

if TYPE_CHECKING:
    import nbformat

# From the beginning of a word only: tried at each of its letters, one printed line of megabytes would take hours.
CELL_PATH = re.compile(r"(?<![^\s\"'(<>])[^\s\"'(<>]*ipykernel_\d+/\d+\.py")
# A path ends where a name could not go on: /root must not be found in /rooted or in a URL's /root-cause.
PATH_END = r"(?=[/\\\s\"'`:;,()\[\]{}<>&]|\.?$|\.\s)"


def scrub(notebook: nbformat.NotebookNode, replacements: Mapping[str, str]) -> None:
    """Clean all outputs in place; `replacements` maps folders to what is shown instead, longest first."""
    folders = sorted(replacements, key=len, reverse=True)
    patterns = [
        (re.compile(rf"(?<![\w.~-]){re.escape(folder)}{PATH_END}", re.MULTILINE), replacements[folder])
        for folder in folders
        if len(folder) > 1  # "/" as home, as in some containers, is not a name to hide
    ]

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            value = CELL_PATH.sub("<cell>", ANSI.sub("", value))
            for pattern, shown in patterns:
                value = pattern.sub(shown, value)
            return ADDRESS.sub("0x...", value)
        if isinstance(value, list):
            return [clean(part) for part in value]
        if isinstance(value, dict):
            return type(value)({key: clean(part) for key, part in value.items()})
        return value

    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            for key in ("text", "evalue", "traceback"):
                if key in output:
                    output[key] = clean(output[key])
            for mime in output.get("data", {}):
                if not mime.startswith("image/") or mime == "image/svg+xml":
                    output.data[mime] = clean(output.data[mime])

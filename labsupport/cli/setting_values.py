"""Turn the text of `--set name=value` into the value that a notebook's parameter gets.

What is JSON is that value: numbers, true, false, null, lists, objects, quoted text. Everything else is text as it was
typed, so that dates, versions and words such as `yes` or `on` stay what they look like; YAML would read some of them as
other things. Every value can be stored in the executed notebook, which is JSON.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from labsupport.errors import LabsError

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
MOST_DIGITS = 300  # of a whole number: more than any float can hold, and more than a person types
SHOWN_CHARS = 60  # of a setting that is refused
PYTHON_WORDS = {"True": True, "False": False, "None": None}
NO_NUMBERS = {"nan", "inf", "infinity"}


def read_settings(settings: list[str]) -> dict[str, Any]:
    """Return the parameters that `name=value` texts give; of a name that is there twice the last counts.

    Raises:
        LabsError: a text that is not `name=value`, or a value that is neither JSON nor plain text.
    """
    parameters: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.isidentifier():
            raise LabsError(f"--set {setting!r}: write name=value, such as --set num_workers=2")
        try:
            parameters[name] = read_value(text)
        except ValueError as error:
            raise LabsError(f"--set {_shortened(setting)}: {error}") from error
    return parameters


def read_value(text: str) -> Any:
    """Return a value that JSON can hold.

    Raises:
        ValueError: says in words why there is none.
    """
    stripped = text.strip()
    value = _read(stripped, text)
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # as the executed notebook stores it
    except UnicodeEncodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    return value


def _read(stripped: str, text: str) -> Any:
    if stripped in PYTHON_WORDS:
        return PYTHON_WORDS[stripped]
    if stripped.lstrip("+-").lower() in NO_NUMBERS:
        raise ValueError(f"{stripped!r} is not a finite number; quote it if you mean the word")
    if NUMBER.fullmatch(stripped):
        return _number(stripped)
    if stripped[:1] in ("[", "{", '"'):
        return _json(stripped)
    return {"true": True, "false": False, "null": None}.get(stripped, text)


def _number(text: str) -> int | float:
    if re.fullmatch(r"[-+]?\d+", text):
        if len(text) > MOST_DIGITS:
            raise ValueError(f"it has {len(text)} digits, more than a number can have; quote it if you mean text")
        return int(text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is larger than a number can be")
    return value


def _json(text: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a finite number")

    try:
        return json.loads(text, parse_constant=refuse, parse_float=_number, parse_int=_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg}); write a list as [1, 2], or quote text") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _shortened(setting: str) -> str:
    return repr(setting if len(setting) <= SHOWN_CHARS else f"{setting[:SHOWN_CHARS]}...")

"""Cut a solved cell into what a learner gets and what the solution shows.

* `# BEGIN SOLUTION` ... `# END SOLUTION` inside a function: the lines between become a `raise NotImplementedError`.
* The same around assignments at the top level of a cell: each value becomes `...`.
* `name = value  # SOLUTION` at the top level, on one line: the value becomes `...`.

A stub never raises when its cell is run: a lab is executed to its end whether or not it was attempted.

Limitations: prose that gives the solution away in words of its own is not noticed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from labsupport.course.grading.learner_error import STUB

BLOCK = re.compile(
    r"^(?P<indent>[ \t]*)# BEGIN SOLUTION[ \t]*\n(?P<body>.*?)^[ \t]*# END SOLUTION[ \t]*$", re.MULTILINE | re.DOTALL
)
LINE = re.compile(r"^(?P<left>[^#\n=]+= )(?P<value>.*?)[ \t]+# SOLUTION[ \t]*$", re.MULTILINE)
MARKER = re.compile(r"(BEGIN|END) SOLUTION|# SOLUTION")
DEFINITION = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
COMMENT = re.compile(r"(^|\s+)#\s.*$")
IGNORED = re.compile(r"[\s\"'`]+")  # what an author may change without changing the meaning of a line

LEAK_MIN_CHARS = 16  # a shorter line ("return total") may well stand elsewhere in a lab
FREE_LINES = ("import ", "from ", "@")  # give nothing away


def has_marker(text: str) -> bool:
    """Say whether a cell, or what is left of it, holds a solution marker."""
    return MARKER.search(text) is not None


def has_code_block(source: str) -> bool:
    """Say whether a cell holds a solution block inside a function, whose stub raises when it is called."""
    return any(block["indent"] for block in BLOCK.finditer(source))


def to_solution(source: str) -> str:
    """Return the cell with its solved parts and without the markers."""
    source = BLOCK.sub(lambda block: block["body"].rstrip("\n"), source)
    return re.sub(r"[ \t]+# SOLUTION[ \t]*$", "", source, flags=re.MULTILINE)


def to_lab(source: str, exercise: str) -> str:
    """Return the cell with a stub in place of each solved part.

    Raises:
        ValueError: the stub would raise when its cell is run, or is not Python.
    """

    def stub(block: re.Match[str]) -> str:
        if block["indent"]:
            message = f'raise NotImplementedError("{STUB}{exercise}: your code here")'
            return f"{block['indent']}# YOUR CODE HERE\n{block['indent']}{message}"
        return "\n".join(f"{left}= ...  # YOUR ANSWER HERE" for left in _assigned(block["body"]))

    lab = LINE.sub(lambda line: f"{line['left']}...  # YOUR ANSWER HERE", BLOCK.sub(stub, source))
    _assert_harmless(lab)
    return lab


def secret_lines(source: str) -> Iterator[str]:
    """Yield the lines that only the solution may show, short ones left out."""
    for block in BLOCK.finditer(source):
        yield from _long_lines(block["body"])
    for line in LINE.finditer(source):
        yield from _long_lines(line["left"] + line["value"])


def secret_names(source: str) -> Iterator[str]:
    """Yield the helper functions and classes that only the solution defines."""
    for block in BLOCK.finditer(source):
        yield from DEFINITION.findall(block["body"])


def prose_lines(source: str) -> Iterator[str]:
    """Yield the lines of a markdown cell that is shown in the solution only."""
    yield from _long_lines(source)


def leaks(lab_text: str, lines: set[str], names: set[str]) -> list[str]:
    """Return which secret lines the lab shows, whatever their spaces and quotes, and which secret names it uses."""
    squeezed = IGNORED.sub("", lab_text)
    shown = [line for line in lines if IGNORED.sub("", line) in squeezed]
    defined = set(DEFINITION.findall(lab_text))
    used = [name for name in names - defined if re.search(rf"(?<![\w.]){name}\(|`{name}`", lab_text)]
    return sorted(shown) + sorted(used)


def _long_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        code = COMMENT.sub("", line).strip()
        if len(code) >= LEAK_MIN_CHARS and not code.startswith(FREE_LINES):
            yield code


def _assigned(body: str) -> Iterator[str]:
    """Yield the left side of each assignment of a block at the top level of a cell."""
    try:
        statements = ast.parse(body).body
    except SyntaxError as error:
        raise ValueError(f"its solution is not Python: {error.msg}") from error
    for statement in statements:
        if isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
            yield "".join(f"{ast.unparse(target)} = " for target in statement.targets)[:-2]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield f"{statement.target.id}: {ast.unparse(statement.annotation)} "
        else:
            raise ValueError(
                "a solution block at the top level of a cell may hold only assignments to plain names; "
                "put other code into a function and the block inside it"
            )


def _assert_harmless(lab: str) -> None:
    """Check that a stub does nothing when its cell is run but define and assign."""
    try:
        tree = ast.parse(lab)
    except SyntaxError as error:
        raise ValueError(f"its stub is not Python: {error.msg} (stub line {error.lineno})") from error
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside.update(ast.walk(node))
        elif isinstance(node, ast.Raise) and node not in inside:
            raise ValueError("its stub would raise at the top level; put the solution block inside a function")
    for node in ast.walk(tree):
        empty = isinstance(node, ast.Assign | ast.AnnAssign) and getattr(node.value, "value", None) is ...
        if empty and node in inside:
            raise ValueError("`# SOLUTION` stands inside a function; use `# BEGIN SOLUTION` and `# END SOLUTION` there")
        if empty and isinstance(node, ast.Assign) and not all(isinstance(t, ast.Name) for t in node.targets):
            raise ValueError("its stub would unpack or store `...`; assign to one plain name per `# SOLUTION`")

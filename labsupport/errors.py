"""The one error that reaches a person as a single line, from the command line and from a notebook."""

from __future__ import annotations


class LabsError(Exception):
    """A mistake the reader can mend: names the thing, its value, what is allowed and what to do.

    The command line prints it as one line and exits with 2; a traceback would hide the sentence.
    """

"""The errors that reach a person as a single line, from the command line and from a notebook."""

from __future__ import annotations

from collections.abc import Callable

Spelling = Callable[[str], str]


class LabsError(Exception):
    """A mistake the reader can mend: names the thing, its value, what is allowed and what to do.

    The command line prints it as one line and exits with 2; a traceback would hide the sentence.
    """


class FieldError(LabsError):
    """A field of a spec that cannot be used as it is.

    The message is a function of the spelling, because a notebook sets `base_lr` and a command line `--base-lr`:

        raise FieldError(lambda name: f"{name('base_lr')} is {value}: a number above 0 is needed")
    """

    def __init__(self, message: Callable[[Spelling], str]) -> None:
        super().__init__(message(str))
        self._message = message

    def spelled(self, spelling: Spelling) -> str:
        """Return the message with the names of fields as `spelling` writes them."""
        return self._message(spelling)

    def __reduce__(self) -> tuple[type[LabsError], tuple[str]]:
        return LabsError, (str(self),)  # a worker's error reaches the driver as its words; a function need not pickle

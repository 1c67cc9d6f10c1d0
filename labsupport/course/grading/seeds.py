"""The seeds that a check grades on: the same few for every learner, or hidden ones that `labs grade` asks for."""

from __future__ import annotations

import hashlib
import os
import re

from labsupport.errors import LabsError

HIDDEN_SEEDS = "LABS_HIDDEN_SEEDS"  # "root:count", set by `labs grade --hidden-seeds`
PUBLIC_SEEDS_END = 2**20  # hidden seeds lie between this and 2**31, which every random generator in use accepts


def seeds(n: int = 20) -> tuple[int, ...]:
    """Return the seeds to grade on: 0 to n - 1, or those that `labs grade --hidden-seeds` asks for.

    Hidden seeds follow from a root by SHA-256, so that a grade can be reproduced; the grader chooses how many.

    Raises:
        LabsError: LABS_HIDDEN_SEEDS is not `root:count`.
    """
    hidden = os.environ.get(HIDDEN_SEEDS)
    if not hidden:
        return tuple(range(n))
    if not re.fullmatch(r"\d+:[1-9]\d{0,5}", hidden):
        raise LabsError(f"{HIDDEN_SEEDS}={hidden!r}: write two whole numbers, root:count, such as 7:50, or unset it")
    root, count = hidden.split(":")
    found: dict[int, None] = {}  # a dict keeps the order and drops repeats
    index = 0
    while len(found) < int(count):
        digest = hashlib.sha256(f"{root}:{index}".encode()).digest()
        found[PUBLIC_SEEDS_END + int.from_bytes(digest[:8]) % (2**31 - PUBLIC_SEEDS_END)] = None
        index += 1
    return tuple(found)

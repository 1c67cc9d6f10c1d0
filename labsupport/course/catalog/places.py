"""Where a run happens: a label on every number, apart from the size switch LABS_PROFILE."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One answer to "where did this number come from"; `required` places are all that a lab may need."""

    id: str
    meaning: str
    required: bool


PLACES = (
    Place("sim", "virtual time", required=True),
    Place("local", "real libraries and processes, 2 CPU cores, pip only", required=True),
    Place("kind", "any existing Kubernetes", required=False),
    Place("gpu", "one machine with NVIDIA GPUs", required=False),
    Place("cloud", "a cloud account, behind the cost guard", required=False),
)

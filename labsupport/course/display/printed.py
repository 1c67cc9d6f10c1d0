"""What programs print and nobody reads: the colours of a terminal, and addresses in memory."""

from __future__ import annotations

import re

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")  # differs from run to run, so no stored output could ever match

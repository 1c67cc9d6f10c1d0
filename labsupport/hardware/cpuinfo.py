"""What /proc/cpuinfo says about the processor, as facts.

The instruction sets named here decide what a lab can show: INT8 gains need one of the VNNI sets or AMX, bfloat16 gains
need AVX512-BF16 or AMX. A hypervisor may hide sets that the chip has; what is hidden is not listed.

Limitations: no ARM feature names (the list is empty there), and nothing about the clocks that AVX-512 leaves a core.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The kernel's own flag names (arch/x86/include/asm/cpufeatures.h), in the order they are shown.
ISA_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")

_MARKETING = re.compile(r"\((?:R|TM|tm|r)\)|\bCPU\b|\b\d+-Core Processor\b|\bProcessor\b|@.*$|,")


@dataclass(frozen=True)
class CpuInfo:
    """One processor package and its cores; a count that the text does not give is None."""

    model: str
    isa: tuple[str, ...]
    logical_cores: int
    physical_cores: int | None


def parse_cpuinfo(text: str) -> CpuInfo:
    """Read the text of /proc/cpuinfo (x86 or ARM); empty text gives an unknown processor."""
    blocks = [_fields(block) for block in re.split(r"\n\s*\n", text.strip())]
    processors = [block for block in blocks if "processor" in block]
    first = processors[0] if processors else {}
    cores = {
        (block["physical id"], block["core id"]) for block in processors if {"physical id", "core id"} <= set(block)
    }
    flags = set(first.get("flags", "").split())
    return CpuInfo(
        model=_model(first),
        isa=tuple(flag for flag in ISA_FLAGS if flag in flags),
        logical_cores=len(processors),
        physical_cores=len(cores) or None,
    )


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _model(fields: dict[str, str]) -> str:
    name = " ".join(_MARKETING.sub(" ", fields.get("model name", "")).split())
    if name:
        return name
    if "CPU implementer" in fields:  # ARM names its maker and part by number
        return f"ARM implementer {fields['CPU implementer']} part {fields.get('CPU part', '?')}"
    return "unknown CPU"

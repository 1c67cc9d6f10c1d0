"""Rule R10: a collective is not faster than the links it runs over.

Limitations: reductions inside the switch and trees are not modelled; both move fewer bytes over a link than a ring
does.
"""

from __future__ import annotations

from labsupport.receipts.rule import TOLERANCE, Breach, Clause, Rule, Severity, differs, exceeds

BITS_PER_BYTE = 8


def bus_bandwidth(collective_bytes: float, collective_s: float, workers: float) -> float:
    """Return the bytes per second that each link of a ring all-reduce carries: 2 (N-1)/N * bytes / time.

    Source: nccl-tests, doc/PERFORMANCE.md.
    """
    return 2 * (workers - 1) / workers * collective_bytes / collective_s


def all_reduce_is_within_the_link(
    collective_bytes: float,
    collective_s: float,
    workers: float,
    link_bytes_per_s: float,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Bound the bus bandwidth of a ring all-reduce by its slowest link, one direction."""
    return _within_link(bus_bandwidth(collective_bytes, collective_s, workers), link_bytes_per_s, claim_tolerance)


def printed_bus_bandwidth_is_within_the_link(
    bus_bytes_per_s: float, link_bytes_per_s: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Bound a printed bus bandwidth by the slowest link, one direction."""
    return _within_link(bus_bytes_per_s, link_bytes_per_s, claim_tolerance)


def printed_bus_bandwidth_is_recomputed(
    bus_bytes_per_s: float,
    collective_bytes: float,
    collective_s: float,
    workers: float,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Compare a printed bus bandwidth with 2 (N-1)/N * bytes / time."""
    computed = bus_bandwidth(collective_bytes, collective_s, workers)
    if not differs(bus_bytes_per_s, computed, claim_tolerance):
        return None
    swapped = any(
        not differs(bus_bytes_per_s, computed * factor, claim_tolerance)
        for factor in (BITS_PER_BYTE, 1 / BITS_PER_BYTE)
    )
    hint = "; a factor of 8: bits taken for bytes" if swapped else ""
    return Breach(
        bus_bytes_per_s,
        computed,
        f"bus bandwidth is printed as {bus_bytes_per_s:.3g} B/s, bytes and time give {computed:.3g}{hint}",
    )


def _within_link(bus_bytes_per_s: float, link_bytes_per_s: float, claim_tolerance: float) -> Breach | None:
    if not exceeds(bus_bytes_per_s, link_bytes_per_s, claim_tolerance):
        return None
    swapped = not differs(bus_bytes_per_s, link_bytes_per_s * BITS_PER_BYTE, claim_tolerance)
    hint = "; a factor of 8: bits taken for bytes" if swapped else ""
    return Breach(
        bus_bytes_per_s,
        link_bytes_per_s,
        f"the ring carries {bus_bytes_per_s:.3g} B/s over a link of {link_bytes_per_s:.3g} B/s{hint}",
    )


_E = Severity.ERROR

RULES = (
    Rule(
        "R10",
        "a collective is not faster than its link",
        (
            Clause(_E, all_reduce_is_within_the_link),
            Clause(_E, printed_bus_bandwidth_is_within_the_link),
            Clause(_E, printed_bus_bandwidth_is_recomputed),
        ),
    ),
)

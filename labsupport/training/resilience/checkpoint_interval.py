"""How often to write a checkpoint: the cost of writing against the work that a failure takes away.

Too rarely, and each failure costs half an interval of work; too often, and the writing itself does. Young (1974) puts
the optimum at the square root of twice the cost times the mean time between failures; Daly (2006) corrects it where the
cost is no longer small against that time. Both assume failures at random moments (exponential gaps) and a run that
stands still while it writes.

Sources: Young, "A first order approximation to the optimum checkpoint interval", CACM 17(9), 1974; Daly, "A higher
order estimate of the optimum checkpoint interval for restart dumps", FGCS 22(3), 2006, equations 20 and 37.

All times are in seconds. `interval_s` is the work between two checkpoints, without the writing.
"""

from __future__ import annotations

import math

from labsupport.errors import LabsError

GOLDEN = (math.sqrt(5) - 1) / 2
SEARCH_STEPS = 80  # each shrinks the bracket by 0.618: far below a millisecond for any bracket used here


def young_interval_s(save_s: float, mtbf_s: float) -> float:
    """Return Young's interval: sqrt(2 C M)."""
    _check(save_s=save_s, mtbf_s=mtbf_s)
    return math.sqrt(2 * save_s * mtbf_s)


def daly_interval_s(save_s: float, mtbf_s: float) -> float:
    """Return Daly's interval, which is the mean time between failures once a save costs twice that."""
    _check(save_s=save_s, mtbf_s=mtbf_s)
    if save_s >= 2 * mtbf_s:
        return mtbf_s
    small = save_s / (2 * mtbf_s)
    return math.sqrt(2 * save_s * mtbf_s) * (1 + math.sqrt(small) / 3 + small / 9) - save_s


def expected_goodput(interval_s: float, save_s: float, mtbf_s: float, restart_s: float) -> float:
    """Return the expected share of wall time that ends as work kept, between 0 and 1.

    The time to get through one interval and its save, failures and restarts included, is
    M exp(R/M) (exp((interval + C)/M) - 1); a failure during a restart or a save counts, too.
    """
    _check(interval_s=interval_s, save_s=save_s, mtbf_s=mtbf_s, restart_s=restart_s)
    if (interval_s + save_s + restart_s) / mtbf_s > 600:  # exp would overflow: no interval is ever completed
        return 0.0
    spent_s = mtbf_s * math.exp(restart_s / mtbf_s) * math.expm1((interval_s + save_s) / mtbf_s)
    return interval_s / spent_s


def best_interval_s(save_s: float, mtbf_s: float, restart_s: float = 0.0) -> float:
    """Return the interval of the highest expected goodput, found numerically.

    The restart only scales the goodput: it does not move the optimum, and is accepted to be seen not to.
    """
    _check(save_s=save_s, mtbf_s=mtbf_s, restart_s=restart_s)
    low, high = 0.0, 10 * (young_interval_s(save_s, mtbf_s) + save_s)
    for _ in range(SEARCH_STEPS):  # goodput rises, then falls: a golden-section search cannot miss its top
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if expected_goodput(left, save_s, mtbf_s, restart_s) < expected_goodput(right, save_s, mtbf_s, restart_s):
            low = left
        else:
            high = right
    return (low + high) / 2


def _check(**seconds: float) -> None:
    for name, value in seconds.items():
        least = 0 if name == "restart_s" else math.ulp(0.0)
        if not least <= value < math.inf:
            raise LabsError(f"{name} is {value}: {'0 or more' if least == 0 else 'more than 0'} seconds are needed")

"""Rules about shares and money: R16 a share is at most one and has a definition, R17 costs add up.

Limitations: whether a price is right is not checked. It is quoted with a date and a region, to be looked up again by
hand.
"""

from __future__ import annotations

from labsupport.receipts.rule import TOLERANCE, Breach, Clause, Rule, Severity, differs

SHARE_MEANINGS = ("allocation", "utilization", "mfu")


def shares_are_within_one(
    utilization: float | None = None,
    allocation: float | None = None,
    hit_rate: float | None = None,
    availability: float | None = None,
    gpu_efficiency: float | None = None,
) -> Breach | None:
    """Bound shares: 0 <= share <= 1, without tolerance."""
    shares = {
        "utilization": utilization,
        "allocation": allocation,
        "hit_rate": hit_rate,
        "availability": availability,
        "gpu_efficiency": gpu_efficiency,
    }
    for name, share in shares.items():
        if share is not None and not 0 <= share <= 1:
            return Breach(share, 1.0, f"{name} is {share:.4g}, a share lies between 0 and 1 (95 % is 0.95)")
    return None


def allocation_follows_from_gpu_seconds(
    allocation: float,
    allocated_gpu_s: float,
    capacity_gpu_s: float,
    demand_gpu_s: float,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Equate allocation with allocated GPU-seconds / min(capacity, demand): idle without demand is nobody's waste."""
    computed = allocated_gpu_s / min(capacity_gpu_s, demand_gpu_s)
    if not differs(allocation, computed, claim_tolerance):
        return None
    return Breach(
        allocation, computed, f"allocation is printed as {allocation:.3g}, the GPU-seconds give {computed:.3g}"
    )


def allocated_is_within_capacity_and_demand(
    allocated_gpu_s: float, capacity_gpu_s: float, demand_gpu_s: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Bound allocated GPU-seconds by those that exist and those asked for."""
    bound = min(capacity_gpu_s, demand_gpu_s)
    if allocated_gpu_s <= bound * (1 + claim_tolerance):
        return None
    return Breach(
        allocated_gpu_s, bound, f"{allocated_gpu_s:.4g} GPU-seconds allocated, {bound:.4g} existed and were asked for"
    )


def gpu_efficiency_has_a_meaning(gpu_efficiency: float, gpu_efficiency_means: str = "") -> Breach | None:
    """Ask which share "GPU efficiency" is: GPUs handed out, GPUs busy, and FLOP/s achieved are three numbers."""
    if gpu_efficiency_means in SHARE_MEANINGS:
        return None
    return Breach(
        gpu_efficiency,
        1.0,
        f"'GPU efficiency' of {gpu_efficiency:.3g} is not defined: say one of {', '.join(SHARE_MEANINGS)}",
    )


def cost_adds_up(
    cost_usd: float,
    unit_prices_usd_per_h: tuple[float, ...],
    usage_hours: tuple[float, ...],
    resource_counts: tuple[float, ...],
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Equate cost with the sum of price * hours * count over the resources."""
    if not len(unit_prices_usd_per_h) == len(usage_hours) == len(resource_counts):
        counted = f"{len(unit_prices_usd_per_h)} prices, {len(usage_hours)} hours, {len(resource_counts)} counts"
        return Breach(len(usage_hours), len(unit_prices_usd_per_h), f"{counted}: give one of each per resource")
    rows = zip(unit_prices_usd_per_h, usage_hours, resource_counts, strict=True)
    computed = sum(price * hours * count for price, hours, count in rows)
    if not differs(cost_usd, computed, claim_tolerance):
        return None
    return Breach(cost_usd, computed, f"cost is printed as {cost_usd:.2f} USD, the parts sum to {computed:.2f} USD")


def prices_have_date_and_region(
    unit_prices_usd_per_h: tuple[float, ...], price_date: str = "", price_region: str = ""
) -> Breach | None:
    """Ask for the day and the region of a price: both change it."""
    missing = [name for name, text in {"price_date": price_date, "price_region": price_region}.items() if not text]
    if not missing:
        return None
    return Breach(
        2 - len(missing), 2, f"{len(unit_prices_usd_per_h)} price(s) without {' and '.join(missing)}: prices move"
    )


def saving_is_at_equal_work(
    saving: float,
    cost_old_usd: float,
    cost_new_usd: float,
    work_old: float | None = None,
    work_new: float | None = None,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Equate a saving with 1 - (new cost / new work) / (old cost / old work). The delivered work must be stated."""
    if work_old is None or work_new is None:
        return Breach(
            saving,
            0.0,
            f"a saving of {saving:.1%} without the work delivered before and after: switching off saves all",
        )
    computed = 1 - (cost_new_usd / work_new) / (cost_old_usd / work_old)
    # The tolerance is on the cost ratio: 2 % of a saving near zero would refuse rounding.
    if not differs(1 - saving, 1 - computed, claim_tolerance):
        return None
    return Breach(saving, computed, f"a saving of {saving:.1%} is printed, at equal work it is {computed:.1%}")


_E = Severity.ERROR

RULES = (
    Rule(
        "R16",
        "a share is at most one and has a definition",
        (
            Clause(_E, shares_are_within_one, at_least=1),
            Clause(_E, allocation_follows_from_gpu_seconds),
            Clause(_E, allocated_is_within_capacity_and_demand),
            Clause(_E, gpu_efficiency_has_a_meaning),
        ),
    ),
    Rule(
        "R17",
        "costs add up, savings are at equal work",
        (
            Clause(_E, cost_adds_up),
            Clause(_E, prices_have_date_and_region),
            Clause(_E, saving_is_at_equal_work),
        ),
    ),
)

"""Rules about services: R7 failover time, R12 Little's law, R13 no request is lost, R15 replication lag.

Limitations: only detection by periodic checks is modelled (a closed connection can be noticed at once; state no check
interval then), and clients are trusted not to cache a route longer than its time to live.
"""

from __future__ import annotations

from labsupport.receipts.rule import TOLERANCE, Breach, Clause, Rule, Severity, differs, exceeds

LITTLE_TOLERANCE = 0.10  # in-flight counts are sampled, and start and end of a run are not steady


def worst_failover_s(
    check_interval_s: float,
    failure_threshold: float,
    check_timeout_s: float = 0,
    propagation_s: float = 0,
    promotion_s: float = 0,
) -> float:
    """Return the slowest failover: interval * threshold + check timeout + propagation + promotion."""
    return check_interval_s * failure_threshold + check_timeout_s + propagation_s + promotion_s


def best_detection_s(check_interval_s: float, failure_threshold: float) -> float:
    """Return the fastest detection: the fault falls just before a check, so interval * (threshold - 1)."""
    return check_interval_s * (failure_threshold - 1)


def claimed_maximum_covers_the_worst_case(
    failover_max_s: float,
    check_interval_s: float,
    failure_threshold: float,
    check_timeout_s: float = 0,
    propagation_s: float = 0,
    promotion_s: float = 0,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Bound a claimed maximum from below by the worst case; see `worst_failover_s`."""
    worst = worst_failover_s(check_interval_s, failure_threshold, check_timeout_s, propagation_s, promotion_s)
    if not exceeds(worst, failover_max_s, claim_tolerance):
        return None
    return Breach(
        failover_max_s,
        worst,
        f"failover is claimed within {failover_max_s:g} s; {failure_threshold:g} checks of {check_interval_s:g} s "
        f"and {worst - check_interval_s * failure_threshold:g} s of timeout, propagation and promotion take up to "
        f"{worst:g} s",
    )


def observed_failover_includes_detection(
    failover_s: float, check_interval_s: float, failure_threshold: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Bound an observed failover from below by the fastest detection; see `best_detection_s`."""
    return _includes_detection(failover_s, check_interval_s, failure_threshold, claim_tolerance)


def claimed_minimum_includes_detection(
    failover_min_s: float, check_interval_s: float, failure_threshold: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Bound the fastest claimed failover from below by the fastest detection; see `best_detection_s`."""
    return _includes_detection(failover_min_s, check_interval_s, failure_threshold, claim_tolerance)


def _includes_detection(
    failover_s: float, check_interval_s: float, failure_threshold: float, claim_tolerance: float
) -> Breach | None:
    best = best_detection_s(check_interval_s, failure_threshold)
    if not exceeds(best, failover_s, claim_tolerance):
        return None
    return Breach(
        failover_s,
        best,
        f"a failover in {failover_s:g} s, while {failure_threshold:g} failed checks {check_interval_s:g} s apart take "
        f"at least {best:g} s",
    )


def in_flight_obeys_little(in_flight: float, served_per_s: float, mean_ms: float) -> Breach | None:
    """Equate requests in flight with rate * mean latency, within 10 % (Little 1961). Steady state only."""
    computed = served_per_s * mean_ms / 1000
    if not differs(in_flight, computed, LITTLE_TOLERANCE):
        return None
    return Breach(
        in_flight,
        computed,
        f"{served_per_s:.4g} requests/s of {mean_ms:.4g} ms keep {computed:.3g} in flight, printed are {in_flight:.3g}",
    )


def served_is_at_most_offered(offered_requests: float, served_requests: float) -> Breach | None:
    """Bound answers by requests; both are counts, so no tolerance."""
    if served_requests <= offered_requests:
        return None
    return Breach(
        served_requests,
        offered_requests,
        f"{served_requests:g} requests served, {offered_requests:g} offered: retries are counted as new answers",
    )


def every_request_has_a_fate(
    offered_requests: float,
    served_requests: float,
    refused_requests: float,
    failed_requests: float,
    unfinished_requests: float = 0,
) -> Breach | None:
    """Equate offered with served + refused + failed + unfinished; counts, so no tolerance."""
    accounted = served_requests + refused_requests + failed_requests + unfinished_requests
    if accounted == offered_requests:
        return None
    return Breach(
        accounted,
        offered_requests,
        f"{offered_requests:g} requests offered, {accounted:g} accounted for: {abs(offered_requests - accounted):g} "
        f"{'lost' if accounted < offered_requests else 'counted twice'}",
    )


def served_rate_is_at_most_offered(
    offered_per_s: float, served_per_s: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Bound the rate of answers by the rate of requests."""
    if not exceeds(served_per_s, offered_per_s, claim_tolerance):
        return None
    return Breach(
        served_per_s, offered_per_s, f"{served_per_s:.4g} requests/s served of {offered_per_s:.4g} requests/s offered"
    )


def lag_includes_the_path(
    lag_s: float,
    one_way_latency_s: float,
    object_bytes: float = 0,
    path_bytes_per_s: float | None = None,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Bound a lag from below by physics: one-way latency + bytes / bandwidth."""
    bound = one_way_latency_s + (object_bytes / path_bytes_per_s if path_bytes_per_s else 0)
    if not exceeds(bound, lag_s, claim_tolerance):
        return None
    return Breach(lag_s, bound, f"a lag of {lag_s:.3g} s, while the path alone takes {bound:.3g} s")


def lag_limit_is_a_distribution(
    lag_max_s: float,
    lag_p50_s: float | None = None,
    lag_p99_s: float | None = None,
    samples: float | None = None,
    object_bytes: float | None = None,
) -> Breach | None:
    """Ask for what a limit on lag needs: median, p99, number of samples and object size. No mean implies a maximum."""
    stated = {"lag_p50_s": lag_p50_s, "lag_p99_s": lag_p99_s, "samples": samples, "object_bytes": object_bytes}
    missing = [name for name, value in stated.items() if value is None]
    if not missing:
        return None
    return Breach(
        len(stated) - len(missing),
        len(stated),
        f"a lag of at most {lag_max_s:g} s without its distribution: {', '.join(missing)} not stated",
    )


_E = Severity.ERROR

RULES = (
    Rule(
        "R7",
        "failover includes detection and propagation",
        (
            Clause(_E, claimed_maximum_covers_the_worst_case),
            Clause(_E, observed_failover_includes_detection),
            Clause(_E, claimed_minimum_includes_detection),
        ),
    ),
    Rule("R12", "in flight = rate * latency", (Clause(_E, in_flight_obeys_little),)),
    Rule(
        "R13",
        "every request has one fate",
        (
            Clause(_E, served_is_at_most_offered),
            Clause(_E, every_request_has_a_fate),
            Clause(_E, served_rate_is_at_most_offered),
        ),
    ),
    Rule(
        "R15",
        "replication lag is a distribution above the path's own time",
        (Clause(_E, lag_includes_the_path), Clause(_E, lag_limit_is_a_distribution)),
    ),
)

"""The names that physics rules understand, each with its unit and meaning, and the units a receipt may be written in.

One name, one meaning, one unit: `step_s` is seconds wherever it appears, so a rule can combine numbers that different
people wrote. The details of a receipt and the lines of a benchmark report use these names; a declared metric says which
of them it states. A detail of any other name is kept, and not judged.
"""

from __future__ import annotations

from dataclasses import dataclass

from labsupport.receipts.domain import ANY, AT_LEAST_ONE, NOT_NEGATIVE, POSITIVE, Domain


@dataclass(frozen=True)
class Quantity:
    """What one name means. A series holds one number per part, worker count, price or seed."""

    unit: str
    meaning: str
    domain: Domain = POSITIVE
    series: bool = False
    text: bool = False


_ANY, _ZERO, _ONE = ANY, NOT_NEGATIVE, AT_LEAST_ONE

QUANTITIES: dict[str, Quantity] = {
    # Training and inference arithmetic. Rates are per GPU where the name says so; a CPU counts as one GPU.
    "tokens_per_s": Quantity("tokens/s", "training throughput of the whole job"),
    "tokens_per_s_per_gpu": Quantity("tokens/s", "training throughput divided by the GPUs of the job"),
    "samples_per_s": Quantity("samples/s", "training throughput of the whole job, in samples"),
    "global_batch": Quantity(
        "sequences", "sequences or samples that all workers together take in one optimiser step", _ONE
    ),
    "sequence_length": Quantity("tokens", "tokens in one training sequence", _ONE),
    "step_s": Quantity("s", "wall time of one optimiser step"),
    "gpus": Quantity("GPUs", "GPUs of the job", _ONE),
    "parameters": Quantity(
        "parameters", "parameters that one token passes through (mixture of experts: the active ones)", _ONE
    ),
    "layers": Quantity("layers", "transformer layers", _ONE),
    "hidden_size": Quantity("elements", "width of the residual stream", _ONE),
    "kv_heads": Quantity("heads", "key/value heads of one layer", _ONE),
    "head_size": Quantity("elements", "width of one attention head", _ONE),
    "bytes_per_element": Quantity("B", "bytes of one cached key or value element"),
    "peak_flops_per_s": Quantity("FLOP/s", "dense peak of one GPU for the number format used, not the sparse figure"),
    "mfu": Quantity("fraction", "model FLOP/s utilization as printed; recomputed activations do not count", _ANY),
    # Memory
    "gpu_memory_bytes": Quantity("B", "memory of one GPU"),
    "memory_bytes_per_s": Quantity("B/s", "memory bandwidth of one GPU"),
    "memory_utilization": Quantity("fraction", "share of GPU memory that the server may fill"),
    "state_shards": Quantity(
        "shards", "ZeRO/FSDP degree of parameters, gradients and optimiser state; 1 is unsharded", _ONE
    ),
    "state_bytes_per_parameter": Quantity("B", "weights, gradients and optimiser state of one parameter"),
    "activation_bytes": Quantity("B", "activations on one GPU at their peak", _ZERO),
    "weight_bytes": Quantity("B", "weights of the served model, all GPUs together"),
    "tensor_parallel": Quantity("GPUs", "GPUs that one replica is split over", _ONE),
    "kv_bytes_per_token": Quantity("B", "cached keys and values of one token, all GPUs together"),
    "tokens_in_cache": Quantity("tokens", "tokens whose keys and values are cached at the same time", _ZERO),
    # Decode and prefill, per replica
    "decode_tokens_per_s": Quantity("tokens/s", "generated tokens of one replica, all of its sequences together"),
    "target_decode_tokens_per_s": Quantity("tokens/s", "the goal set for decode_tokens_per_s"),
    "decode_batch": Quantity("sequences", "sequences decoded at the same time", _ONE),
    "kv_bytes_per_sequence": Quantity("B", "cached keys and values that one sequence reads for each token", _ZERO),
    "tokens_per_pass": Quantity("tokens", "tokens one sequence gains in one pass; above 1 with speculative decoding"),
    "prefill_tokens_per_s": Quantity("tokens/s", "prompt tokens of one replica"),
    # Collectives
    "collective_bytes": Quantity("B", "bytes that each rank contributes to one all-reduce"),
    "collective_s": Quantity("s", "wall time of that all-reduce"),
    "bus_bytes_per_s": Quantity("B/s", "bus bandwidth as printed"),
    "link_bytes_per_s": Quantity("B/s", "bandwidth of the slowest link of the ring, one direction"),
    # Scaling
    "workers": Quantity("workers", "workers of the run", _ONE),
    "scaling_mode": Quantity(
        "strong or weak", "strong keeps the whole problem, weak the problem per worker", text=True
    ),
    "scaling_efficiency": Quantity("fraction", "efficiency at `workers`, relative to one worker", _ANY),
    "speedup": Quantity("x", "work per second relative to one worker"),
    "one_worker_s": Quantity("s", "time of one worker"),
    "all_workers_s": Quantity("s", "time of all workers"),
    "one_worker_work_per_s": Quantity("1/s", "samples or tokens per second of one worker"),
    "work_per_s": Quantity("1/s", "samples or tokens per second of all workers"),
    "serial_fraction": Quantity("fraction", "share of one worker's time that does not parallelise", _ZERO),
    "worker_counts": Quantity("workers", "worker counts of a scaling curve, rising", _ONE, series=True),
    "efficiencies": Quantity("fraction", "efficiency at each of the worker counts", series=True),
    # Latency
    "min_ms": Quantity("ms", "smallest latency", _ZERO),
    "mean_ms": Quantity("ms", "mean latency", _ZERO),
    "p50_ms": Quantity("ms", "median latency", _ZERO),
    "p90_ms": Quantity("ms", "90th percentile of latency", _ZERO),
    "p95_ms": Quantity("ms", "95th percentile of latency", _ZERO),
    "p99_ms": Quantity("ms", "99th percentile of latency", _ZERO),
    "max_ms": Quantity("ms", "largest latency", _ZERO),
    "whole_quantile": Quantity("any", "a quantile of the whole, such as the global p95", _ANY),
    "part_quantiles": Quantity("any", "the same quantile of every part, in the same unit", _ANY, series=True),
    # Requests
    "offered_requests": Quantity("requests", "requests that clients sent", _ZERO),
    "served_requests": Quantity("requests", "requests answered well", _ZERO),
    "refused_requests": Quantity("requests", "requests turned away on purpose", _ZERO),
    "failed_requests": Quantity("requests", "requests that ended in an error or a timeout", _ZERO),
    "unfinished_requests": Quantity("requests", "requests still in flight when counting ended", _ZERO),
    "offered_per_s": Quantity("requests/s", "rate at which clients send", _ZERO),
    "served_per_s": Quantity("requests/s", "rate of good answers", _ZERO),
    "in_flight": Quantity("requests", "mean number of requests in the system", _ZERO),
    # Failover and availability
    "check_interval_s": Quantity("s", "time between health checks"),
    "failure_threshold": Quantity("checks", "failed checks in a row that count as down", _ONE),
    "check_timeout_s": Quantity("s", "time after which an unanswered check has failed", _ZERO),
    "propagation_s": Quantity("s", "DNS time to live, or time until every proxy has the new route", _ZERO),
    "promotion_s": Quantity("s", "time to promote a standby", _ZERO),
    "failover_s": Quantity("s", "an observed failover, from the fault to the first good answer", _ZERO),
    "failover_min_s": Quantity("s", "the fastest failover claimed", _ZERO),
    "failover_max_s": Quantity("s", "the slowest failover claimed, also any 'less than'", _ZERO),
    "availability": Quantity("fraction", "share of time or of probes that are good", _ANY),
    "probes": Quantity("probes", "independent probes sent", _ONE),
    "failed_probes": Quantity("probes", "probes that failed", _ZERO),
    "downtime_min": Quantity("min", "minutes of downtime in the window", _ZERO),
    "window_days": Quantity("days", "length of the window the downtime refers to"),
    "outage_s": Quantity("s", "outage inside the observed window", _ZERO),
    "observed_s": Quantity("s", "length of the observed window"),
    # Replication
    "lag_s": Quantity("s", "replication lag of an object: from its write to its arrival", _ZERO),
    "lag_max_s": Quantity("s", "largest lag claimed, also any 'less than'", _ZERO),
    "lag_p50_s": Quantity("s", "median lag", _ZERO),
    "lag_p99_s": Quantity("s", "99th percentile of lag", _ZERO),
    "one_way_latency_s": Quantity("s", "network latency in one direction", _ZERO),
    "object_bytes": Quantity("B", "size of one replicated object", _ZERO),
    "path_bytes_per_s": Quantity("B/s", "bandwidth of the replication path"),
    # Shares
    "utilization": Quantity("fraction", "share of time a device is busy", _ANY),
    "allocation": Quantity("fraction", "share of GPU-seconds handed to jobs, while there is a backlog", _ANY),
    "hit_rate": Quantity("fraction", "share of look-ups that hit", _ANY),
    "gpu_efficiency": Quantity("fraction", "a word without a definition; see gpu_efficiency_means", _ANY),
    "gpu_efficiency_means": Quantity("allocation, utilization or mfu", "which share 'GPU efficiency' is", text=True),
    "allocated_gpu_s": Quantity("GPU s", "GPU-seconds handed to jobs", _ZERO),
    "capacity_gpu_s": Quantity("GPU s", "GPU-seconds that existed"),
    "demand_gpu_s": Quantity("GPU s", "GPU-seconds that jobs asked for"),
    # Cost
    "cost_usd": Quantity("USD", "cost as printed", _ZERO),
    "unit_prices_usd_per_h": Quantity("USD/h", "price of each resource", _ZERO, series=True),
    "usage_hours": Quantity("h", "hours of each resource", _ZERO, series=True),
    "resource_counts": Quantity("pieces", "pieces of each resource", _ZERO, series=True),
    "price_date": Quantity("date", "day the prices were read", text=True),
    "price_region": Quantity("region", "region the prices hold for", text=True),
    "saving": Quantity("fraction", "saving as printed, at equal delivered work", _ANY),
    "cost_old_usd": Quantity("USD", "cost before"),
    "cost_new_usd": Quantity("USD", "cost after", _ZERO),
    "work_old": Quantity("any", "work delivered for the cost before"),
    "work_new": Quantity("any", "work delivered for the cost after, in the same unit"),
    # Engine comparisons
    "engine_speedup": Quantity("x", "time of the baseline divided by time of the engine, wall clock"),
    "cpu_time_speedup": Quantity("x", "the same ratio in CPU time"),
    "baseline": Quantity("name", "the engine compared with, its version and how it was tuned", text=True),
    "speedup_cause": Quantity("words", "what else makes it faster: graph fusion, a weak baseline", text=True),
    "baseline_weight_bytes": Quantity("B", "weights the baseline reads"),
    "engine_weight_bytes": Quantity("B", "weights the engine reads"),
    "baseline_peak_flops_per_s": Quantity("FLOP/s", "peak for the baseline's number format"),
    "engine_peak_flops_per_s": Quantity("FLOP/s", "peak for the engine's number format"),
    # Evidence. A receipt fills in the first four from its own fields, and the fifth where its unit is `bool`.
    "kind": Quantity("kind", "measured, simulated, modelled, quoted or target", text=True),
    "measured_value": Quantity("any", "the value that the spread belongs to", _ANY),
    "spread": Quantity("any", "half of the interquartile range", _ZERO),
    "samples": Quantity("samples", "samples behind a value or its quantiles", _ONE),
    "statistic": Quantity(
        "median, mean, max, min, count, flag",
        "what the value is of its samples; a median where nothing is said",
        text=True,
    ),
    "load_1m": Quantity("processes", "load average when the measurement was taken", _ZERO),
    "values_with_work": Quantity("any", "the metric under several seeds, with the real work", _ANY, series=True),
    "values_without_work": Quantity(
        "any", "the metric under the same seeds, the work replaced by nothing", _ANY, series=True
    ),
    "claim_tolerance": Quantity("fraction", "what the claim may be off by, instead of 2 %; at most 0.25", _ZERO),
}

# Facts about one receipt, not about the run it belongs to; a metric states none of them.
ABOUT_THE_RECEIPT = frozenset(
    {"kind", "measured_value", "spread", "samples", "statistic", "load_1m", "claim_tolerance"}
)

# What is measured -> the spellings of its units and their size.
_SIZES: dict[str, dict[str, float]] = {
    "time": {"s": 1, "ms": 1e-3, "us": 1e-6, "min": 60, "h": 3600, "days": 86400},
    "bytes": {
        "B": 1,
        "kB": 1e3,
        "MB": 1e6,
        "GB": 1e9,
        "TB": 1e12,
        "KiB": 2**10,
        "MiB": 2**20,
        "GiB": 2**30,
        "TiB": 2**40,
    },
    "bytes/s": {"B/s": 1, "kB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9, "TB/s": 1e12, "MiB/s": 2**20, "GiB/s": 2**30}
    | {"bit/s": 1 / 8, "Mbit/s": 1e6 / 8, "Gbit/s": 1e9 / 8},
    "FLOP/s": {"FLOP/s": 1, "GFLOP/s": 1e9, "TFLOP/s": 1e12, "PFLOP/s": 1e15},
    "ratio": {"fraction": 1, "ratio": 1, "x": 1, "×": 1, "1": 1, "%": 0.01},
    "tokens/s": {"tokens/s": 1, "tok/s": 1, "tokens/s/GPU": 1, "tok/s/GPU": 1},
    "samples/s": {"samples/s": 1, "images/s": 1},
    "requests/s": {"requests/s": 1, "req/s": 1},
    "money": {"USD": 1},
    "money/h": {"USD/h": 1},
    "GPU time": {"GPU s": 1, "GPU h": 3600},
}
UNITS = {unit: (measures, size) for measures, sizes in _SIZES.items() for unit, size in sizes.items()}


def converted(value: float, unit: str, wanted: str) -> float | None:
    """Return `value` in the wanted unit, or None when the two units are not known to measure the same thing."""
    if wanted in (unit, "any"):
        return value
    have, want = UNITS.get(unit), UNITS.get(wanted)
    if have is None or want is None or have[0] != want[0]:
        return None
    return value * have[1] / want[1]

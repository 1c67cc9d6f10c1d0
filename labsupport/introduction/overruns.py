"""By how much a line of a benchmark report exceeds what its own numbers allow: the reference for week 0's exercises.

An overrun is a claim over its bound: up to 1 it can be true, above 1 it cannot, and None means that the line does not
state what the relation needs. Where two printed numbers should be equal it is the larger over the smaller. A function
returns the largest overrun of the relations that it knows. Whoever judges leaves room for rounding (`LIMIT`).

`labsupport.receipts.physics` knows the same relations and was written apart from these on purpose: a test compares the
two on dozens of reports, so that a slip in either shows.

Limitations: only the relations that the vendor's report needs; severities, sentences, stated tolerances and observed
failures are the lint's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Line = Mapping[str, Any]  # quantity -> value, under the names of labsupport.receipts.quantities
Rule = Callable[[Line], float | None]

LIMIT = 1.02  # three printed digits are off by at most 0.5 %, a quotient of two by 1 %

ADAM_BYTES = 16  # per parameter: 2 weights, 2 gradients, 4 master weights, 4 + 4 moments (Rajbhandari et al. 2020)
STILL_POSSIBLE = 3  # failures at 95 % when none was observed (Hanley and Lippman-Hand 1983)
BEYOND = 10  # samples beyond a quantile that it rests on


def training(line: Line) -> float | None:
    """Judge FLOP/s against the peak, a printed MFU, and the tokens/s of a step and of a job."""
    found = []
    if states(line, "tokens_per_s_per_gpu", "parameters", "peak_flops_per_s"):
        mfu = line["tokens_per_s_per_gpu"] * 6 * line["parameters"] / line["peak_flops_per_s"]
        found.append(mfu)
        if "mfu" in line:
            found.append(ratio(line["mfu"], mfu))
    if states(line, "tokens_per_s", "global_batch", "sequence_length", "step_s"):
        found.append(ratio(line["tokens_per_s"], line["global_batch"] * line["sequence_length"] / line["step_s"]))
    if states(line, "tokens_per_s", "tokens_per_s_per_gpu", "gpus"):
        found.append(ratio(line["tokens_per_s"], line["tokens_per_s_per_gpu"] * line["gpus"]))
    return max(found, default=None)


def memory(line: Line) -> float | None:
    """Judge what is held in training and in serving, and the decoding speed that memory bandwidth allows."""
    found = []
    gpus = line.get("tensor_parallel", 1)
    if states(line, "parameters", "state_shards", "gpu_memory_bytes"):
        state = line["parameters"] * line.get("state_bytes_per_parameter", ADAM_BYTES) / line["state_shards"]
        found.append((state + line.get("activation_bytes", 0)) / line["gpu_memory_bytes"])
    if states(line, "weight_bytes", "tensor_parallel", "gpu_memory_bytes"):
        held = line["weight_bytes"] + line.get("kv_bytes_per_token", 0) * line.get("tokens_in_cache", 0)
        found.append(held / gpus / (line["gpu_memory_bytes"] * line.get("memory_utilization", 1)))
    if states(line, "decode_tokens_per_s", "decode_batch", "weight_bytes", "memory_bytes_per_s"):
        read = line["weight_bytes"] + line["decode_batch"] * line.get("kv_bytes_per_sequence", 0)
        found.append(line["decode_tokens_per_s"] / (line["decode_batch"] * gpus * line["memory_bytes_per_s"] / read))
    return max(found, default=None)


def service(line: Line) -> float | None:
    """Judge a quantile of the whole, a failover, and an availability without an observed failure."""
    found = []
    if states(line, "whole_quantile", "part_quantiles"):
        whole, parts = line["whole_quantile"], line["part_quantiles"]
        found.append(max(whole / max(parts), min(parts) / whole))
    if states(line, "failover_max_s", "check_interval_s", "failure_threshold"):
        later = sum(line.get(name, 0) for name in ("check_timeout_s", "propagation_s", "promotion_s"))
        found.append((line["check_interval_s"] * line["failure_threshold"] + later) / line["failover_max_s"])
    if states(line, "failover_s", "check_interval_s", "failure_threshold"):
        found.append(line["check_interval_s"] * (line["failure_threshold"] - 1) / line["failover_s"])
    if states(line, "availability", "probes"):
        down = 1 - line["availability"]
        found.append(STILL_POSSIBLE / down / line["probes"] if down else math.inf)
    return max(found, default=None)


def rest(line: Line) -> float | None:
    """Judge a scaling efficiency, the order and the samples of quantiles, a replication lag, and a cost."""
    found = []
    if states(line, "scaling_efficiency", "scaling_mode", "workers", "one_worker_s", "all_workers_s"):
        divisor = line["workers"] if line["scaling_mode"] == "strong" else 1
        found.append(ratio(line["scaling_efficiency"], line["one_worker_s"] / line["all_workers_s"] / divisor))
    if states(line, "p50_ms", "p95_ms", "p99_ms", "samples"):
        found += [line["p50_ms"] / line["p95_ms"], line["p95_ms"] / line["p99_ms"]]
        found.append(BEYOND * 100 / line["samples"])  # one sample in a hundred lies beyond the p99
    if states(line, "lag_s", "one_way_latency_s", "object_bytes", "path_bytes_per_s"):
        found.append((line["one_way_latency_s"] + line["object_bytes"] / line["path_bytes_per_s"]) / line["lag_s"])
    if states(line, "cost_usd", "unit_prices_usd_per_h", "usage_hours", "resource_counts"):
        rows = zip(line["unit_prices_usd_per_h"], line["usage_hours"], line["resource_counts"], strict=True)
        found.append(ratio(line["cost_usd"], sum(price * hours * count for price, hours, count in rows)))
    return max(found, default=None)


RULES: tuple[Rule, ...] = (training, memory, service, rest)


def audit(lines: Mapping[str, Line], rules: Sequence[Rule] = RULES, limit: float = LIMIT) -> set[str]:
    """Return the ids of the lines that some rule finds impossible."""
    return {line_id for line_id, line in lines.items() if any((rule(line) or 0) > limit for rule in rules)}


def states(line: Line, *names: str) -> bool:
    """Say whether a line states all of these quantities."""
    return all(name in line for name in names)


def ratio(printed: float, computed: float) -> float:
    """Return the larger of two positive numbers over the smaller: 1 where they are equal."""
    return max(printed / computed, computed / printed)

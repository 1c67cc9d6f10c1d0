"""A vendor's benchmark report to audit: written from a seed, with mistakes planted where they are known.

The vendor, its accelerators, its prices and all numbers are fictional, written for this exercise. Every line states its
numbers under the names of `labsupport.receipts.quantities`, so that rules can judge it. The truth about a line follows
from how it was written, not from a rule that read it: an impossible line contradicts itself by 10 % or more, or claims
what its own evidence cannot show; a suspicious line can be true and needs an explanation; a sound line keeps every
bound, and its equalities hold to the digits printed.

Limitations: a line with plausible numbers that nobody measured is sound here: it contradicts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

VENDOR = "Quillmark Cloud"
NOTICE = "fictional: vendor, hardware, prices and all numbers were written for this exercise"

FEWEST_IMPOSSIBLE, MOST_IMPOSSIBLE = 6, 8
SUSPICIOUS_LINES = 3

Quantity = float | str | tuple[float, ...]
Quantities = dict[str, Quantity]
Draft = tuple[str, Quantities]  # the sentence that is printed, and the numbers in it


class Truth(StrEnum):
    """What a line is, known because it was written so."""

    SOUND = "sound"
    SUSPICIOUS = "suspicious"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True)
class ReportLine:
    """One line of the report: what is printed, and the same numbers under their names."""

    id: str
    text: str
    quantities: Mapping[str, Quantity]


@dataclass(frozen=True)
class Report:
    """A report and the truth about its lines; a notebook displays the report only."""

    seed: int
    lines: tuple[ReportLine, ...]
    truth: Mapping[str, Truth]

    @property
    def claims(self) -> dict[str, Quantities]:
        """The numbers of every line, by its id: a fresh copy, whatever is done with it."""
        return {line.id: dict(line.quantities) for line in self.lines}

    def ids(self, truth: Truth) -> set[str]:
        """Return the ids of the lines that are sound, suspicious or impossible."""
        return {line_id for line_id, known in self.truth.items() if known is truth}

    def __repr__(self) -> str:
        return "\n".join([f"{VENDOR} ({NOTICE})", *(f"{line.id}  {line.text}" for line in self.lines)])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        left = 'style="text-align:left"'
        rows = "".join(
            f"<tr><td {left}><strong>{line.id}</strong></td><td {left}>{escape(line.text)}</td></tr>"
            for line in self.lines
        )
        caption = f"<caption>{VENDOR}: benchmark report <em>({NOTICE})</em></caption>"
        return {"text/plain": repr(self), "text/html": f"<table>{caption}{rows}</table>"}


def report(seed: int) -> Report:
    """Write the report of a seed: one line per topic in an order of its own, 6 to 8 impossible, 3 suspicious."""
    import numpy as np

    draw = np.random.default_rng(seed)
    wanted = int(draw.integers(FEWEST_IMPOSSIBLE, MOST_IMPOSSIBLE + 1))
    impossible = set(_some(draw, [topic for topic in TOPICS if topic.can_be_impossible], wanted))
    doubtful = [topic for topic in TOPICS if topic.can_be_suspicious and topic not in impossible]
    suspicious = set(_some(draw, doubtful, SUSPICIOUS_LINES))
    gpu = _one(draw, _GPUS)
    lines, truth = [], {}
    for number, topic in enumerate(_some(draw, TOPICS, len(TOPICS)), start=1):
        known = Truth.IMPOSSIBLE if topic in impossible else Truth.SUSPICIOUS if topic in suspicious else Truth.SOUND
        text, quantities = topic.write(draw, gpu, known)
        lines.append(ReportLine(f"L{number:02d}", text, MappingProxyType(quantities)))
        truth[lines[-1].id] = known
    return Report(seed, tuple(lines), MappingProxyType(truth))


# --- what the lines are about ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Gpu:
    name: str
    memory_bytes: float
    bytes_per_s: float
    flops_per_s: float  # dense, bf16


_GPUS = (
    _Gpu("Q2", 48e9, 1.1e12, 310e12),
    _Gpu("Q4", 80e9, 2.4e12, 780e12),
    _Gpu("Q5", 112e9, 3.9e12, 1150e12),
)
_SMALL_MODELS = (6.2e9, 8.7e9, 12.8e9)  # parameters; their bf16 weights fit one accelerator
_LARGE_MODELS = (12.8e9, 33e9, 68e9)  # their training state needs shards on any of them
_MEMORY_USED = 0.9  # the share of memory that the server may fill


def _mfu(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    parameters, gpus = _one(draw, _LARGE_MODELS), _one(draw, (16, 32, 64, 256))
    mfu = _between(draw, 0.68, 0.82) if known is Truth.SUSPICIOUS else _between(draw, 0.33, 0.52)
    tokens_per_s, printed = mfu * gpu.flops_per_s / (6 * parameters), mfu
    if known is Truth.IMPOSSIBLE:
        if draw.random() < 0.5:
            tokens_per_s *= _between(draw, 3.5, 12)  # above the peak, beside an MFU that looks harmless
        else:
            printed *= _between(draw, 1.15, 1.5)
    tokens_per_s, printed = _digits(tokens_per_s, 4), _digits(printed, 3)
    return (
        f"Training a {parameters / 1e9:g} B model on {gpus} {gpu.name} ({gpu.flops_per_s / 1e12:g} TFLOP/s dense in "
        f"bf16): {tokens_per_s:,.5g} tokens/s per GPU, MFU {printed:.1%}.",
        {"parameters": parameters, "gpus": gpus, "peak_flops_per_s": gpu.flops_per_s,
         "tokens_per_s_per_gpu": tokens_per_s, "mfu": printed},
    )  # fmt: skip


def _step(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    batch, sequence = _one(draw, (256, 512, 1024, 2048)), _one(draw, (2048, 4096, 8192))
    step_s = _digits(_between(draw, 1.5, 9.5), 3)
    tokens_per_s = _digits(batch * sequence / step_s * _error(draw, known, 1.12, 4), 4)
    return (
        f"A step of {batch:,} sequences of {sequence:,} tokens takes {step_s:g} s: {tokens_per_s:,.0f} tokens/s.",
        {"global_batch": batch, "sequence_length": sequence, "step_s": step_s, "tokens_per_s": tokens_per_s},
    )


def _job(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    gpus, per_gpu = _one(draw, (24, 48, 96, 192)), _digits(_between(draw, 900, 9000), 3)
    tokens_per_s = _digits(gpus * per_gpu * _error(draw, known, 1.12, 8), 4)
    return (
        f"Aggregate throughput on {gpus} {gpu.name}: {tokens_per_s:,.0f} tokens/s, {per_gpu:,.0f} per GPU.",
        {"gpus": gpus, "tokens_per_s": tokens_per_s, "tokens_per_s_per_gpu": per_gpu},
    )


def _training_memory(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    parameters, activations = _one(draw, _LARGE_MODELS), round(_between(draw, 4, 14)) * 1e9
    needed = {shards: 16 * parameters / shards + activations for shards in (1, 2, 4, 8, 16, 32, 64)}
    if known is Truth.IMPOSSIBLE:
        shards = max(shards for shards, size in needed.items() if size > 1.15 * gpu.memory_bytes)
    else:
        shards = min(shards for shards, size in needed.items() if size < 0.92 * gpu.memory_bytes)
    how = f"ZeRO-3 over {shards} GPUs" if shards > 1 else "unsharded, one GPU"
    return (
        f"Full training of a {parameters / 1e9:g} B model, mixed-precision Adam, {how}: state and "
        f"{activations / 1e9:g} GB of activations stay in {gpu.memory_bytes / 1e9:g} GB of GPU memory.",
        {"parameters": parameters, "state_shards": shards, "activation_bytes": activations,
         "gpu_memory_bytes": gpu.memory_bytes},
    )  # fmt: skip


def _served_model(draw: np.random.Generator, gpu: _Gpu) -> tuple[float, int, float]:
    """Return bf16 weight bytes, a tensor-parallel degree that leaves room for a cache, and cache bytes per token."""
    weights = 2 * _one(draw, (*_SMALL_MODELS, 33e9, 68e9))
    degree = next(degree for degree in (1, 2, 4, 8) if weights / degree < 0.6 * gpu.memory_bytes)
    return weights, degree, _one(draw, (131072, 163840, 327680))


def _serving_memory(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    weights, degree, kv_bytes = _served_model(draw, gpu)
    filled = _between(draw, 1.15, 1.8) if known is Truth.IMPOSSIBLE else _between(draw, 0.7, 0.93)
    tokens = _digits((filled * _MEMORY_USED * gpu.memory_bytes * degree - weights) / kv_bytes, 3)
    return (
        f"{weights / 1e9:g} GB of weights on {degree} x {gpu.name} ({gpu.memory_bytes / 1e9:g} GB each, "
        f"{_MEMORY_USED:.0%} usable): {tokens:,.0f} tokens in the cache at once, {kv_bytes / 1024:g} KiB each.",
        {"weight_bytes": weights, "tensor_parallel": degree, "gpu_memory_bytes": gpu.memory_bytes,
         "memory_utilization": _MEMORY_USED, "kv_bytes_per_token": kv_bytes, "tokens_in_cache": tokens},
    )  # fmt: skip


def _decode(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    weights, degree, kv_bytes = _served_model(draw, gpu)
    batch, kv_bytes_per_sequence = _one(draw, (1, 8, 32, 64)), kv_bytes * _one(draw, (1024, 2048, 4096))
    ceiling = batch * degree * gpu.bytes_per_s / (weights + batch * kv_bytes_per_sequence)
    share = _between(draw, 1.15, 3) if known is Truth.IMPOSSIBLE else _between(draw, 0.5, 0.88)
    tokens_per_s = _digits(share * ceiling, 3)
    return (
        f"Decoding, {weights / 1e9:g} GB of weights on {degree} x {gpu.name} ({gpu.bytes_per_s / 1e12:g} TB/s each), "
        f"batch {batch}, {kv_bytes_per_sequence / 2**20:g} MiB of cache per sequence: {tokens_per_s:,.0f} tokens/s.",
        {"decode_tokens_per_s": tokens_per_s, "decode_batch": batch, "weight_bytes": weights, "tensor_parallel": degree,
         "memory_bytes_per_s": gpu.bytes_per_s, "kv_bytes_per_sequence": kv_bytes_per_sequence},
    )  # fmt: skip


def _target(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    weights, batch = 2 * _one(draw, _SMALL_MODELS), _one(draw, (32, 64))
    times = _between(draw, 0.5, 0.9) if known is Truth.SUSPICIOUS else _between(draw, 3, 8)
    goal = _digits(times * gpu.bytes_per_s / weights, 2)
    return (
        f"Acceptance test of the batched server, {weights / 1e9:g} GB of weights on one {gpu.name} "
        f"({gpu.bytes_per_s / 1e12:g} TB/s): at least {goal:,.0f} tokens/s at batch {batch}.",
        {"target_decode_tokens_per_s": goal, "decode_batch": batch, "weight_bytes": weights,
         "memory_bytes_per_s": gpu.bytes_per_s},
    )  # fmt: skip


def _scaling(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    workers, mode = _one(draw, (8, 16, 32, 64)), _one(draw, ("strong", "weak"))
    ranges = {Truth.SOUND: (0.78, 0.95), Truth.SUSPICIOUS: (1.06, 1.18), Truth.IMPOSSIBLE: (0.6, 0.75)}
    efficiency = _between(draw, *ranges[known])
    one_s = _digits(_between(draw, 1200, 5400), 4)
    all_s = _digits(one_s / (efficiency * (workers if mode == "strong" else 1)), 4)
    printed = _digits(efficiency * (_between(draw, 1.15, 1.3) if known is Truth.IMPOSSIBLE else 1), 3)
    what = "the same problem" if mode == "strong" else "the same problem per worker"
    return (
        f"{mode.capitalize()} scaling ({what}): {one_s:,g} s on 1 worker, {all_s:,g} s on {workers}, efficiency "
        f"{printed:.1%}.",
        {"scaling_mode": mode, "workers": workers, "one_worker_s": one_s, "all_workers_s": all_s,
         "scaling_efficiency": printed},
    )  # fmt: skip


def _curve(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    counts, loss = (2.0, 4.0, 8.0, 16.0), _between(draw, 0.01, 0.03)
    efficiencies = [_digits(1 / (1 + loss * (count - 1)), 3) for count in counts]
    if known is Truth.SUSPICIOUS:
        efficiencies[-1] = _digits(efficiencies[-2] * _between(draw, 1.05, 1.1), 3)
    points = ", ".join(f"{share:.1%} at {count:g}" for count, share in zip(counts, efficiencies, strict=True))
    return (
        f"Weak-scaling efficiency by workers: {points}.",
        {"scaling_mode": "weak", "worker_counts": counts, "efficiencies": tuple(efficiencies)},
    )


def _quantiles(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    p50 = _between(draw, 40, 180)
    p95 = p50 * _between(draw, 1.8, 2.6)
    p99, samples = p95 * _between(draw, 1.3, 1.9), round(_between(draw, 200, 2000)) * 100
    if known is Truth.IMPOSSIBLE:
        if draw.random() < 0.5:
            p95, p99 = p99, p95
        else:
            samples = round(_between(draw, 120, 600))
    p50, p95, p99 = (_digits(value, 3) for value in (p50, p95, p99))
    return (
        f"Latency of {samples:,} requests: p50 {p50:g} ms, p95 {p95:g} ms, p99 {p99:g} ms.",
        {"samples": samples, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99},
    )


def _mixture(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    low = _between(draw, 50, 80)
    middle = low * _between(draw, 1.15, 1.3)
    high = middle * _between(draw, 1.15, 1.3)
    whole = low + _between(draw, 0.25, 0.75) * (high - low)
    if known is Truth.IMPOSSIBLE:
        whole = high * _between(draw, 1.12, 1.4) if draw.random() < 0.5 else low * _between(draw, 0.6, 0.85)
    parts = tuple(_digits(value, 3) for value in _some(draw, (low, middle, high), 3))
    return (
        f"p95 by region {', '.join(f'{part:g}' for part in parts)} ms; global p95 {_digits(whole, 3):g} ms.",
        {"part_quantiles": parts, "whole_quantile": _digits(whole, 3)},
    )


def _failover(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    interval_s, threshold = _one(draw, (5, 10, 15, 30)), _one(draw, (2, 3, 4))
    checks = f"{threshold} failed checks, one every {interval_s} s"
    quantities: Quantities = {"check_interval_s": interval_s, "failure_threshold": threshold}
    if draw.random() < 0.5:
        fastest_s = interval_s * (threshold - 1)
        share = _between(draw, 0.2, 0.8) if known is Truth.IMPOSSIBLE else _between(draw, 1.2, 2.5)
        observed_s = _digits(share * fastest_s, 2)
        return (
            f"Failover drill, {checks}: first good answer {observed_s:g} s after the fault.",
            quantities | {"failover_s": observed_s},
        )
    timeout_s, route_s, promotion_s = _one(draw, (2, 3, 5)), _one(draw, (10, 30, 60)), _one(draw, (4, 8, 15))
    worst_s = interval_s * threshold + timeout_s + route_s + promotion_s
    limit_s = round(worst_s * (_between(draw, 0.25, 0.8) if known is Truth.IMPOSSIBLE else _between(draw, 1.06, 1.3)))
    return (
        f"Failover within {limit_s} s at most: {checks}, check timeout {timeout_s} s, DNS time to live {route_s} s, "
        f"promotion {promotion_s} s.",
        quantities | {"check_timeout_s": timeout_s, "propagation_s": route_s, "promotion_s": promotion_s,
                      "failover_max_s": limit_s},
    )  # fmt: skip


def _availability(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    availability = _one(draw, (0.999, 0.9995, 0.9999))
    share = _between(draw, 0.05, 0.7) if known is Truth.IMPOSSIBLE else _between(draw, 1.3, 6)
    probes = _digits(share * 3 / (1 - availability), 3)
    return (
        f"Measured availability {availability:.2%}: {probes:,.0f} independent probes, none failed.",
        {"availability": availability, "probes": probes, "failed_probes": 0},
    )


def _lag(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    size, path = _one(draw, (0.4e9, 1.5e9, 4e9, 12e9)), _one(draw, (125e6, 312.5e6, 1.25e9))
    latency_s = _digits(_between(draw, 0.04, 0.12), 2)
    share = _between(draw, 0.2, 0.8) if known is Truth.IMPOSSIBLE else _between(draw, 1.1, 1.9)
    lag_s = _digits(share * (latency_s + size / path), 3)
    return (
        f"Replication of a {size / 1e9:g} GB object over a {path * 8 / 1e9:g} Gbit/s path, {latency_s * 1000:g} ms one "
        f"way: complete {lag_s:g} s after the write.",
        {"lag_s": lag_s, "one_way_latency_s": latency_s, "object_bytes": size, "path_bytes_per_s": path},
    )


def _cost(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    counts = (float(_one(draw, (4, 8, 16))), float(_one(draw, (3, 6))), 2.0)
    prices = tuple(_digits(_between(draw, *span), 3) for span in ((11, 38), (0.7, 2.4), (0.05, 0.3)))
    hours = (float(_one(draw, (180, 360, 720))), 720.0, 720.0)
    parts = [price * hour * count for price, hour, count in zip(prices, hours, counts, strict=True)]
    cost = round(sum(parts) * _error(draw, known, 1.15, 1.6))
    names = ("GPU nodes", "CPU nodes", "load balancers")
    listed = "; ".join(
        f"{count:g} {name} x {hour:g} h x {price:g} USD/h"
        for count, name, hour, price in zip(counts, names, hours, prices, strict=True)
    )
    return (
        f"A month costs {cost:,} USD ({listed}; price list of 2 March, region north-1).",
        {"cost_usd": cost, "unit_prices_usd_per_h": prices, "usage_hours": hours, "resource_counts": counts,
         "price_date": "2 March (fictional)", "price_region": "north-1 (fictional)"},
    )  # fmt: skip


def _engine(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    weights = 2 * _one(draw, _SMALL_MODELS)
    speedup = _digits(_between(draw, 2.7, 5.5) if known is Truth.SUSPICIOUS else _between(draw, 1.3, 1.85), 3)
    return (
        f"INT8 engine ({weights / 2e9:g} GB of weights) {speedup:g} times as fast as our bf16 engine "
        f"({weights / 1e9:g} GB), same batch and driver.",
        {"engine_speedup": speedup, "baseline": "own bf16 engine, same batch and driver",
         "baseline_weight_bytes": weights, "engine_weight_bytes": weights / 2},
    )  # fmt: skip


def _evidence(draw: np.random.Generator, gpu: _Gpu, known: Truth) -> Draft:
    value, load = _digits(_between(draw, 2e4, 9e4), 3), _digits(_between(draw, 0.2, 0.9), 2)
    samples, spread = round(_between(draw, 8, 30)), _digits(value * _between(draw, 0.005, 0.03), 2)
    if known is Truth.SUSPICIOUS:
        if draw.random() < 0.5:
            samples = round(_between(draw, 2, 4))
        else:
            spread = _digits(value * _between(draw, 0.15, 0.3), 2)
    return (
        f"Headline throughput {value:,.0f} tokens/s: median of {samples} runs, half of the interquartile range "
        f"{spread:,.0f}, load {load:g}.",
        {"kind": "measured", "measured_value": value, "samples": samples, "spread": spread, "load_1m": load},
    )


@dataclass(frozen=True)
class Topic:
    """What one line of every report is about; `write` prints it sound, or with a mistake that it can carry."""

    name: str
    write: Callable[[np.random.Generator, _Gpu, Truth], Draft]
    can_be_impossible: bool = True
    can_be_suspicious: bool = False


TOPICS = (
    Topic("model FLOP/s utilization", _mfu, can_be_suspicious=True),
    Topic("throughput of a step", _step),
    Topic("throughput of a job", _job),
    Topic("memory in training", _training_memory),
    Topic("memory in serving", _serving_memory),
    Topic("decoding", _decode),
    Topic("acceptance of batching", _target, can_be_impossible=False, can_be_suspicious=True),
    Topic("scaling efficiency", _scaling, can_be_suspicious=True),
    Topic("scaling curve", _curve, can_be_impossible=False, can_be_suspicious=True),
    Topic("latency quantiles", _quantiles),
    Topic("global quantile", _mixture),
    Topic("failover", _failover),
    Topic("availability", _availability),
    Topic("replication lag", _lag),
    Topic("cost", _cost),
    Topic("engine speed-up", _engine, can_be_impossible=False, can_be_suspicious=True),
    Topic("evidence", _evidence, can_be_impossible=False, can_be_suspicious=True),
)


# --- drawing ---------------------------------------------------------------------------------------------------------


def _one(draw: np.random.Generator, choices: Any) -> Any:
    return choices[int(draw.integers(len(choices)))]


def _some(draw: np.random.Generator, choices: Any, count: int) -> list[Any]:
    return [choices[int(index)] for index in draw.permutation(len(choices))[:count]]


def _between(draw: np.random.Generator, low: float, high: float) -> float:
    return float(draw.uniform(low, high))


def _error(draw: np.random.Generator, known: Truth, low: float, high: float) -> float:
    """Return the factor by which a printed number is off: 1, or `low` to `high` too large or too small."""
    if known is not Truth.IMPOSSIBLE:
        return 1.0
    factor = _between(draw, low, high)
    return factor if draw.random() < 0.5 else 1 / factor


def _digits(value: float, digits: int) -> float:
    """Return a value as it is printed, with this many significant digits."""
    return float(f"{value:.{digits}g}")

"""What project 202 measures: engines, an LLM server, autoscaling and traces."""

from __future__ import annotations

from labsupport.receipts.domain import COUNT, POSITIVE, SHARE, Domain
from labsupport.receipts.metric import Metric

# Engines
TENSORRT_SPEEDUP = Metric(
    "serving.tensorrt_speedup", "x", POSITIVE, "time of tuned eager PyTorch / time of TensorRT", "engine_speedup"
)
INT8_SPEEDUP = Metric(
    "serving.int8_speedup", "x", POSITIVE, "time of tuned eager PyTorch / time of an INT8 engine", "engine_speedup"
)
BF16_SPEEDUP = Metric(
    "serving.bf16_speedup", "x", POSITIVE, "time of tuned eager PyTorch / time of a bf16 engine", "engine_speedup"
)
COMPARED_ENGINES = Metric("serving.compared_engines", "engines", COUNT, "engines whose accuracy was compared")
INACCURATE_ENGINES = Metric(
    "serving.inaccurate_engines", "engines", COUNT, "engines that lost more accuracy than their bound allows"
)

# Generation
DECODE_TOKENS_PER_S = Metric(
    "serving.decode_tokens_per_s", "tokens/s", POSITIVE, "generated tokens per second of one replica",
    "decode_tokens_per_s",
)  # fmt: skip
BATCHING_GAIN = Metric("serving.batching_gain", "x", POSITIVE, "batched throughput / that of a single stream")
ROOFLINE_FRACTION = Metric(
    "serving.roofline_fraction", "fraction", Domain(above=0, at_most=1), "share of what memory bandwidth allows"
)
GPU_UTILIZATION = Metric(
    "serving.gpu_utilization", "fraction", SHARE, "share of time in which the GPU ran a kernel", "utilization"
)
BUSY_FRACTION = Metric(
    "serving.busy_fraction", "fraction", SHARE, "share of time in which the engine had a batch to compute",
    "utilization",
)  # fmt: skip

# Autoscaling
OBJECTIVE_FAILING_SEEDS = Metric(
    "serving.objective.failing_seeds", "seeds", COUNT, "load spikes that break the latency objective", out_of_n=True
)
FLAPPING_FAILING_SEEDS = Metric(
    "serving.flapping.failing_seeds", "seeds", COUNT, "load spikes in which replicas flap", out_of_n=True
)
OVERSHOOT_FAILING_SEEDS = Metric(
    "serving.overshoot.failing_seeds", "seeds", COUNT, "load spikes with more replicas than the bound", out_of_n=True
)

# Traces
COMPLETE_TRACES = Metric("serving.complete_traces", "traces", COUNT, "requests that left a complete trace")
INCOMPLETE_TRACES = Metric("serving.incomplete_traces", "traces", COUNT, "requests that left none, or one with gaps")
MISPARENTED_SPANS = Metric("serving.misparented_spans", "spans", COUNT, "spans under the wrong parent")
QUERIED_SPANS = Metric("serving.queried_spans", "spans", COUNT, "slow spans that a query found")

"""What project 201 measures: one training run, its recovery, how it scales, and how it is tracked."""

from __future__ import annotations

from labsupport.receipts.domain import COUNT, FLAG, NOT_NEGATIVE, POSITIVE, SHARE, Domain
from labsupport.receipts.metric import Metric

# Super-linear speed-up exists, where each worker's part begins to fit a cache or the memory; half as much again would
# be a record, and what lies beyond is a mistake.
EFFICIENCY = Domain(above=0, at_most=1.5)

# A run
ACCURACY = Metric("training.accuracy", "fraction", SHARE, "share of correct predictions on the test split")
LOSS = Metric("training.loss", "nats", NOT_NEGATIVE, "mean loss of the last step over all workers")
THROUGHPUT = Metric(
    "training.throughput", "samples/s", POSITIVE, "samples per second of all workers together", "samples_per_s"
)
GPU_UTILIZATION = Metric(
    "training.gpu_utilization", "fraction", SHARE, "share of time in which the GPU ran a kernel", "utilization"
)
MFU = Metric(
    "training.mfu", "fraction", Domain(above=0, at_most=1), "share of the GPU's peak that the model's FLOPs use", "mfu"
)
BUSY_FRACTION = Metric(
    "training.busy_fraction", "fraction", SHARE, "share of a step that is not spent waiting for data", "utilization"
)
DETERMINISTIC_COST = Metric(
    "training.deterministic_cost", "x", POSITIVE, "step time with deterministic algorithms / with any, on one GPU"
)
DDP_DIFFERENCE = Metric(
    "training.ddp_difference", "nats", NOT_NEGATIVE, "largest distance between the losses of two runs of one spec"
)

# Recovery
RECOVERY_S = Metric("training.recovery_s", "s", POSITIVE, "time from the kill of a worker to the next step")
LOST_STEPS = Metric("training.lost_steps", "steps", COUNT, "steps that were done again after the kill")
RESUME_EXACT = Metric(
    "training.resume_exact", "bool", FLAG, "whether the resumed run equals the undisturbed one, bit for bit"
)
RECOVERY_FAILING_SEEDS = Metric(
    "training.recovery.failing_seeds", "seeds", COUNT, "crash schedules that lose or repeat a step", out_of_n=True
)

# Scaling
SCALING_EFFICIENCY = Metric(
    "training.scaling_efficiency", "fraction", EFFICIENCY, "throughput of N workers / (N x that of one)",
    "scaling_efficiency",
)  # fmt: skip

# Tracking and validation
MLFLOW_RUNS = Metric("training.mlflow_runs", "runs", COUNT, "runs that a query of the tracking store returns")
MLFLOW_METRICS = Metric("training.mlflow_metrics", "metrics", COUNT, "metrics that those runs have")
MLFLOW_ARTIFACTS = Metric("training.mlflow_artifacts", "artifacts", COUNT, "artifacts that those runs have")
VALIDATED_RECEIPTS = Metric("training.validated_receipts", "receipts", COUNT, "receipts that the validator judged")
VALIDATOR_ERRORS = Metric("training.validator_errors", "errors", COUNT, "errors that the validator found in them")

"""What week 0 measures, and the prices that it quotes."""

from __future__ import annotations

from labsupport.receipts.domain import NOT_NEGATIVE, POSITIVE
from labsupport.receipts.metric import Metric

EKS_STANDARD_USD_PER_H = Metric(
    "introduction.eks_standard_usd_per_h", "USD/h", NOT_NEGATIVE, "an EKS control plane with a version in support"
)
EKS_EXTENDED_USD_PER_H = Metric(
    "introduction.eks_extended_usd_per_h", "USD/h", NOT_NEGATIVE, "an EKS control plane in extended support"
)
EKS_STANDARD_MONTH_USD = Metric(
    "introduction.eks_standard_month_usd", "USD", NOT_NEGATIVE, "730 hours of a control plane in support"
)
EKS_EXTENDED_MONTH_USD = Metric(
    "introduction.eks_extended_month_usd", "USD", NOT_NEGATIVE, "730 hours of a control plane in extended support"
)
MATMUL_MS = Metric("introduction.matmul_ms", "ms", POSITIVE, "time of one product of two square matrices")
MATMUL_P99_MS = Metric("introduction.matmul_p99_ms", "ms", POSITIVE, "99th percentile of that time", "p99_ms")
MATMUL_GFLOP_PER_S = Metric(
    "introduction.matmul_gflop_per_s", "GFLOP/s", POSITIVE, "operations of that product per second"
)

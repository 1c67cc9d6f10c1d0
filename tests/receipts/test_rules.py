"""Every clause of every rule: numbers that hold, numbers that hold just so, and numbers that break it.

The last part of each `breaks` list is, where there is one, a number that was published.
"""

from __future__ import annotations

import pytest

from labsupport.receipts.physics import RULES, Claim, Clause, Severity, examine

# Llama-2-7B on H100 SXM (bf16, dense) and on A100-40GB, from the models' and cards' data sheets.
P = 6.74e9
PEAK = 989e12
WEIGHTS = 13.5e9
A100_BYTES_PER_S = 1555e9

H100 = {"parameters": P, "peak_flops_per_s": PEAK}
ALL_REDUCE = {"collective_bytes": 1e9, "collective_s": 0.15, "workers": 4}  # a bus bandwidth of 10 GB/s
FAILOVER = {"check_interval_s": 30, "failure_threshold": 3, "propagation_s": 60}
REQUESTS = {"offered_requests": 100, "served_requests": 90, "refused_requests": 7, "failed_requests": 3}
COST = {"unit_prices_usd_per_h": [3.06, 0.10], "usage_hours": [10, 730], "resource_counts": [2, 1]}  # 134.20 USD
DATED = {"price_date": "2026-01-05", "price_region": "us-east-1"}
EVIDENCE = {"kind": "measured", "measured_value": 100, "samples": 20, "spread": 1}
LAG = {"lag_p50_s": 0.4, "lag_p99_s": 2.1, "samples": 1000, "object_bytes": 1e6}

# clause -> (holds, holds just so, breaks)
CASES: dict[str, tuple[list[dict], list[dict], list[dict]]] = {
    "mfu_is_possible": (
        [H100 | {"tokens_per_s_per_gpu": 10_300}],
        [H100 | {"tokens_per_s_per_gpu": 1.019 * PEAK / (6 * P)}],
        [H100 | {"tokens_per_s_per_gpu": 1.03 * PEAK / (6 * P)}, H100 | {"tokens_per_s_per_gpu": 247_000}],
    ),
    "printed_mfu_is_a_share": ([{"mfu": 0.42}], [{"mfu": 1.0}], [{"mfu": 0}, {"mfu": 1.001}, {"mfu": 42.1}]),
    "printed_mfu_is_recomputed": (
        [H100 | {"tokens_per_s_per_gpu": 10_300, "mfu": 0.421}],
        [
            H100 | {"tokens_per_s_per_gpu": 10_300, "mfu": 0.421 * 1.049},
            # Attention adds 12 * 32 * 4096 * 4096 to 6 P, a sixth: full, half and none are all accepted.
            *(
                H100
                | {"layers": 32, "hidden_size": 4096, "sequence_length": 4096}
                | {"tokens_per_s_per_gpu": 10_300, "mfu": 0.4212 * (1 + share * 0.1593)}
                for share in (0, 0.5, 1)
            ),
        ],
        [
            H100 | {"tokens_per_s_per_gpu": 10_300, "mfu": 0.421 * 1.06},
            H100 | {"tokens_per_s_per_gpu": 247_000, "mfu": 0.421},
        ],
    ),
    "mfu_is_usual": ([{"mfu": 0.55}], [{"mfu": 0.65}], [{"mfu": 0.66}]),
    "tokens_follow_from_the_step": (
        [{"global_batch": 256, "sequence_length": 4096, "step_s": 0.53, "tokens_per_s": 1.98e6}],
        [{"global_batch": 100, "sequence_length": 10, "step_s": 1, "tokens_per_s": 1019}],
        [
            {"global_batch": 100, "sequence_length": 10, "step_s": 1, "tokens_per_s": 1021},
            {"global_batch": 256, "sequence_length": 4096, "step_s": 0.129, "tokens_per_s": 1.98e6},
        ],
    ),
    "tokens_follow_from_the_gpus": (
        [{"tokens_per_s_per_gpu": 247e3, "gpus": 8, "tokens_per_s": 1.98e6}],
        [{"tokens_per_s_per_gpu": 100, "gpus": 10, "tokens_per_s": 981}],
        [{"tokens_per_s_per_gpu": 100, "gpus": 10, "tokens_per_s": 979}],
    ),
    "tokens_per_gpu_follow_from_the_step": (
        [{"tokens_per_s_per_gpu": 1000, "gpus": 4, "global_batch": 40, "sequence_length": 100, "step_s": 1}],
        [{"tokens_per_s_per_gpu": 1019, "gpus": 4, "global_batch": 40, "sequence_length": 100, "step_s": 1}],
        [
            {"tokens_per_s_per_gpu": 1021, "gpus": 4, "global_batch": 40, "sequence_length": 100, "step_s": 1},
            {"tokens_per_s_per_gpu": 247e3, "gpus": 8, "global_batch": 256, "sequence_length": 4096, "step_s": 0.129},
        ],
    ),
    "samples_follow_from_the_step": (
        [{"samples_per_s": 640, "global_batch": 64, "step_s": 0.1}],
        [{"samples_per_s": 652, "global_batch": 64, "step_s": 0.1}],
        [{"samples_per_s": 654, "global_batch": 64, "step_s": 0.1}],
    ),
    "prefill_is_within_compute": (
        [H100 | {"prefill_tokens_per_s": 40_000}, H100 | {"prefill_tokens_per_s": 140_000, "tensor_parallel": 2}],
        [H100 | {"prefill_tokens_per_s": 1.019 * PEAK / (2 * P)}],
        [H100 | {"prefill_tokens_per_s": 1.021 * PEAK / (2 * P)}],
    ),
    "decode_is_within_compute": (
        [H100 | {"decode_tokens_per_s": 3_000}],
        [H100 | {"decode_tokens_per_s": 1.019 * PEAK / (2 * P)}],
        [H100 | {"decode_tokens_per_s": 1.021 * PEAK / (2 * P)}],
    ),
    "all_reduce_is_within_the_link": (
        [ALL_REDUCE | {"link_bytes_per_s": 25e9}],
        [ALL_REDUCE | {"link_bytes_per_s": 9.81e9}],
        [ALL_REDUCE | {"link_bytes_per_s": 9.79e9}],
    ),
    "printed_bus_bandwidth_is_within_the_link": (
        [{"bus_bytes_per_s": 10e9, "link_bytes_per_s": 12.5e9}],
        [{"bus_bytes_per_s": 12.5e9 * 1.019, "link_bytes_per_s": 12.5e9}],
        [{"bus_bytes_per_s": 12.5e9 * 1.021, "link_bytes_per_s": 12.5e9}],
    ),
    "printed_bus_bandwidth_is_recomputed": (
        [ALL_REDUCE | {"bus_bytes_per_s": 10e9}],
        [ALL_REDUCE | {"bus_bytes_per_s": 10.19e9}],
        [ALL_REDUCE | {"bus_bytes_per_s": 10.21e9}, ALL_REDUCE | {"bus_bytes_per_s": 80e9}],
    ),
    "training_state_fits": (
        [{"parameters": P, "state_shards": 8, "gpu_memory_bytes": 80e9, "activation_bytes": 40e9}],
        [{"parameters": 5.09e9, "state_shards": 1, "gpu_memory_bytes": 80e9}],
        [
            {"parameters": 5.2e9, "state_shards": 1, "gpu_memory_bytes": 80e9},
            {"parameters": P, "state_shards": 1, "gpu_memory_bytes": 80e9},
        ],
    ),
    "serving_state_fits": (
        [{"weight_bytes": WEIGHTS, "tensor_parallel": 1, "gpu_memory_bytes": 40e9}],
        [
            {"weight_bytes": WEIGHTS, "tensor_parallel": 1, "gpu_memory_bytes": 16e9, "memory_utilization": 0.9}
            | {"kv_bytes_per_token": 2**19, "tokens_in_cache": 2200}
        ],
        # A V100 of 16 GB has 0.9 GB left beside the weights: less than one sequence of 4096 tokens.
        [
            {"weight_bytes": WEIGHTS, "tensor_parallel": 1, "gpu_memory_bytes": 16e9, "memory_utilization": 0.9}
            | {"kv_bytes_per_token": 2**19, "tokens_in_cache": 4096}
        ],
    ),
    "kv_bytes_follow_from_the_shape": (
        [{"kv_bytes_per_token": 2**19, "layers": 32, "kv_heads": 32, "head_size": 128, "bytes_per_element": 2}],
        [{"kv_bytes_per_token": 2**19 * 1.019, "layers": 32, "kv_heads": 32, "head_size": 128, "bytes_per_element": 2}],
        [{"kv_bytes_per_token": 2**19 / 8, "layers": 32, "kv_heads": 32, "head_size": 128, "bytes_per_element": 2}],
    ),
    "decode_is_within_bandwidth": (
        [
            {"decode_tokens_per_s": 100, "decode_batch": 1, "weight_bytes": WEIGHTS}
            | {"memory_bytes_per_s": A100_BYTES_PER_S},
            {"decode_tokens_per_s": 150, "decode_batch": 1, "weight_bytes": WEIGHTS, "tokens_per_pass": 2}
            | {"memory_bytes_per_s": A100_BYTES_PER_S},
        ],
        [
            {"decode_tokens_per_s": 117, "decode_batch": 1, "weight_bytes": WEIGHTS}
            | {"memory_bytes_per_s": A100_BYTES_PER_S}
        ],
        [
            {"decode_tokens_per_s": 124, "decode_batch": 1, "weight_bytes": WEIGHTS}
            | {"memory_bytes_per_s": A100_BYTES_PER_S},
            {"decode_tokens_per_s": 1150, "decode_batch": 10, "weight_bytes": WEIGHTS, "kv_bytes_per_sequence": 2**31}
            | {"memory_bytes_per_s": A100_BYTES_PER_S},
        ],
    ),
    "target_detects_broken_batching": (
        [
            {"target_decode_tokens_per_s": 500, "decode_batch": 10, "weight_bytes": WEIGHTS}
            | {"memory_bytes_per_s": A100_BYTES_PER_S},
            {"target_decode_tokens_per_s": 100, "decode_batch": 1, "weight_bytes": WEIGHTS}
            | {"memory_bytes_per_s": A100_BYTES_PER_S},
        ],
        [
            {"target_decode_tokens_per_s": A100_BYTES_PER_S / WEIGHTS, "decode_batch": 10, "weight_bytes": WEIGHTS}
            | {"memory_bytes_per_s": A100_BYTES_PER_S}
        ],
        [
            {"target_decode_tokens_per_s": 100, "decode_batch": 10, "weight_bytes": WEIGHTS}
            | {"memory_bytes_per_s": A100_BYTES_PER_S}
        ],
    ),
    "efficiency_follows_from_speedup": (
        [{"scaling_efficiency": 0.775, "speedup": 6.2, "workers": 8}],
        [{"scaling_efficiency": 0.79, "speedup": 6.2, "workers": 8}],
        [
            {"scaling_efficiency": 0.80, "speedup": 6.2, "workers": 8},
            {"scaling_efficiency": 0.85, "speedup": 6.2, "workers": 8},
            {"scaling_efficiency": 0.73, "speedup": 6.9, "workers": 8},
            {"scaling_efficiency": 0.92, "speedup": 3.2, "workers": 4},
        ],
    ),
    "efficiency_follows_from_times": (
        [
            {"scaling_efficiency": 0.857, "one_worker_s": 24, "all_workers_s": 3.5, "workers": 8},
            {"scaling_efficiency": 0.8, "one_worker_s": 8, "all_workers_s": 10, "workers": 8, "scaling_mode": "weak"},
        ],
        [{"scaling_efficiency": 0.874, "one_worker_s": 24, "all_workers_s": 3.5, "workers": 8}],
        [
            {"scaling_efficiency": 0.88, "one_worker_s": 24, "all_workers_s": 3.5, "workers": 8},
            {"scaling_efficiency": 0.8, "one_worker_s": 24, "all_workers_s": 6.5, "workers": 4},
        ],
    ),
    "efficiency_follows_from_throughput": (
        [{"scaling_efficiency": 0.8, "one_worker_work_per_s": 100, "work_per_s": 640, "workers": 8}],
        [{"scaling_efficiency": 0.815, "one_worker_work_per_s": 100, "work_per_s": 640, "workers": 8}],
        [{"scaling_efficiency": 0.82, "one_worker_work_per_s": 100, "work_per_s": 640, "workers": 8}],
    ),
    "efficiency_states_its_mode": (
        [{"scaling_efficiency": 0.8, "workers": 8, "scaling_mode": "weak"}],
        [{"scaling_efficiency": 1.0, "workers": 1}],
        [{"scaling_efficiency": 0.8, "workers": 8}, {"scaling_efficiency": 0.8, "workers": 8, "scaling_mode": "good"}],
    ),
    "efficiency_does_not_rise": (
        [{"worker_counts": [1, 2, 4, 8], "efficiencies": [1, 0.98, 0.95, 0.9]}],
        [{"worker_counts": [4, 8], "efficiencies": [0.97, 0.989]}],
        [
            {"worker_counts": [4, 8], "efficiencies": [0.97, 0.991]},
            {"worker_counts": [8, 4], "efficiencies": [0.998, 0.97]},
            {"worker_counts": [2, 4, 8], "efficiencies": [0.97, 0.96]},
        ],
    ),
    "efficiency_is_at_most_one": (
        [{"scaling_efficiency": 0.9, "workers": 8}],
        [{"scaling_efficiency": 1.019, "workers": 8}],
        [{"scaling_efficiency": 1.021, "workers": 8}],
    ),
    "serial_fraction_does_not_fall": (
        [
            {"worker_counts": [2, 4, 8], "efficiencies": [0.95, 0.87, 0.74], "scaling_mode": "strong"},
            {"worker_counts": [2, 64], "efficiencies": [0.9, 0.9], "scaling_mode": "weak"},
        ],
        [{"worker_counts": [4, 8], "efficiencies": [0.97, 0.95], "scaling_mode": "strong"}],
        [
            {"worker_counts": [2, 64], "efficiencies": [0.9, 0.9], "scaling_mode": "strong"},
            {"worker_counts": [4, 8], "efficiencies": [0.97, 0.998], "scaling_mode": "strong"},
        ],
    ),
    "speedup_obeys_amdahl": (
        [{"speedup": 5, "workers": 8, "serial_fraction": 0.05}],
        [{"speedup": 8 / (0.05 * 7 + 1) * 1.019, "workers": 8, "serial_fraction": 0.05}],
        [{"speedup": 6.9, "workers": 8, "serial_fraction": 0.05}],
    ),
    "mixture_lies_between_its_parts": (
        [{"whole_quantile": 43, "part_quantiles": [42, 38, 45]}],
        [{"whole_quantile": 45, "part_quantiles": [42, 38, 45]}, {"whole_quantile": 38, "part_quantiles": [42, 38]}],
        [
            {"whole_quantile": 36, "part_quantiles": [42, 38, 45]},
            {"whole_quantile": 48, "part_quantiles": [42, 38, 45]},
        ],
    ),
    "claimed_maximum_covers_the_worst_case": (
        [FAILOVER | {"failover_max_s": 180}],
        [FAILOVER | {"failover_max_s": 150}, FAILOVER | {"check_interval_s": 10, "failover_max_s": 90}],
        [FAILOVER | {"check_interval_s": 10, "failover_max_s": 85}, FAILOVER | {"failover_max_s": 30}],
    ),
    "observed_failover_includes_detection": (
        [FAILOVER | {"failover_s": 75}],
        [FAILOVER | {"failover_s": 60}],
        [FAILOVER | {"failover_s": 58}, *(FAILOVER | {"failover_s": region_s} for region_s in (18, 22, 25))],
    ),
    "claimed_minimum_includes_detection": (
        [FAILOVER | {"failover_min_s": 75}],
        [FAILOVER | {"failover_min_s": 60}],
        [FAILOVER | {"failover_min_s": 58}],
    ),
    "in_flight_obeys_little": (
        [{"in_flight": 10, "served_per_s": 100, "mean_ms": 100}],
        [{"in_flight": 10.9, "served_per_s": 100, "mean_ms": 100}],
        [{"in_flight": 11.2, "served_per_s": 100, "mean_ms": 100}],
    ),
    "served_is_at_most_offered": (
        [{"offered_requests": 100, "served_requests": 90}],
        [{"offered_requests": 100, "served_requests": 100}],
        [{"offered_requests": 100, "served_requests": 101}],
    ),
    "every_request_has_a_fate": (
        [REQUESTS],
        [REQUESTS | {"served_requests": 89, "unfinished_requests": 1}],
        [REQUESTS | {"served_requests": 89}, REQUESTS | {"served_requests": 91}],
    ),
    "served_rate_is_at_most_offered": (
        [{"offered_per_s": 100, "served_per_s": 90}],
        [{"offered_per_s": 100, "served_per_s": 102}],
        [{"offered_per_s": 100, "served_per_s": 103}],
    ),
    "lag_includes_the_path": (
        [{"lag_s": 1.5, "one_way_latency_s": 0.1, "object_bytes": 1e9, "path_bytes_per_s": 1e9}],
        [{"lag_s": 1.1, "one_way_latency_s": 0.1, "object_bytes": 1e9, "path_bytes_per_s": 1e9}],
        [
            {"lag_s": 1.0, "one_way_latency_s": 0.1, "object_bytes": 1e9, "path_bytes_per_s": 1e9},
            {"lag_s": 0.05, "one_way_latency_s": 0.1},
        ],
    ),
    "lag_limit_is_a_distribution": (
        [LAG | {"lag_max_s": 4.9}],
        [LAG | {"lag_max_s": 2.1}],
        [{"lag_max_s": 5}, {key: value for key, value in LAG.items() if key != "samples"} | {"lag_max_s": 5}],
    ),
    "shares_are_within_one": (
        [{"utilization": 0.9, "allocation": 0.95, "hit_rate": 0.5}],
        [{"utilization": 1.0}, {"hit_rate": 0}],
        [{"utilization": 1.001}, {"hit_rate": -0.1}, {"allocation": 95}, {"availability": 99.95}],
    ),
    "allocation_follows_from_gpu_seconds": (
        [{"allocation": 0.95, "allocated_gpu_s": 76, "capacity_gpu_s": 100, "demand_gpu_s": 80}],
        [{"allocation": 0.96, "allocated_gpu_s": 76, "capacity_gpu_s": 100, "demand_gpu_s": 80}],
        [{"allocation": 0.76, "allocated_gpu_s": 76, "capacity_gpu_s": 100, "demand_gpu_s": 80}],
    ),
    "allocated_is_within_capacity_and_demand": (
        [{"allocated_gpu_s": 76, "capacity_gpu_s": 100, "demand_gpu_s": 80}],
        [{"allocated_gpu_s": 80, "capacity_gpu_s": 100, "demand_gpu_s": 80}],
        [{"allocated_gpu_s": 82, "capacity_gpu_s": 100, "demand_gpu_s": 80}],
    ),
    "gpu_efficiency_has_a_meaning": (
        [{"gpu_efficiency": 0.95, "gpu_efficiency_means": "allocation"}],
        [{"gpu_efficiency": 1.0, "gpu_efficiency_means": "utilization"}],
        [{"gpu_efficiency": 0.95, "gpu_efficiency_means": "goodness"}, {"gpu_efficiency": 0.95}],
    ),
    "cost_adds_up": (
        [COST | {"cost_usd": 134.20}],
        [COST | {"cost_usd": 136.8}],
        [COST | {"cost_usd": 61.20}, COST | {"cost_usd": 134.20, "usage_hours": [10]}],
    ),
    "prices_have_date_and_region": ([COST | DATED], [COST | DATED], [COST, COST | {"price_date": "2026-01-05"}]),
    "saving_is_at_equal_work": (
        [{"saving": 0.2, "cost_old_usd": 100, "cost_new_usd": 80, "work_old": 10, "work_new": 10}],
        [{"saving": 0.215, "cost_old_usd": 100, "cost_new_usd": 80, "work_old": 10, "work_new": 10}],
        [
            {"saving": 0.2, "cost_old_usd": 100, "cost_new_usd": 80, "work_old": 10, "work_new": 8},
            {"saving": 0.2, "cost_old_usd": 100, "cost_new_usd": 80},
        ],
    ),
    "engine_speedup_has_a_cause": (
        [
            {"engine_speedup": 1.9, "baseline_weight_bytes": 100e6, "engine_weight_bytes": 50e6},
            {"engine_speedup": 4, "baseline_weight_bytes": 100e6, "engine_weight_bytes": 50e6}
            | {"speedup_cause": "the baseline runs without graph fusion"},
        ],
        [
            {"engine_speedup": 4.05, "baseline_weight_bytes": 100e6, "engine_weight_bytes": 50e6}
            | {"baseline_peak_flops_per_s": 1e12, "engine_peak_flops_per_s": 4e12}
        ],
        [{"engine_speedup": 116, "baseline_weight_bytes": 100e6, "engine_weight_bytes": 25e6}],
    ),
    "speedup_names_its_baseline": (
        [{"engine_speedup": 2, "baseline": "PyTorch eager, 2 threads, channels last"}],
        [{"engine_speedup": 1, "baseline": "itself"}],
        [{"engine_speedup": 2}, {"engine_speedup": 2, "baseline": " "}],
    ),
    "wall_and_cpu_time_agree": (
        [{"engine_speedup": 6.9, "cpu_time_speedup": 6.6}],
        [{"engine_speedup": 7.9, "cpu_time_speedup": 6.6}],
        [{"engine_speedup": 8, "cpu_time_speedup": 6.6}, {"engine_speedup": 116, "cpu_time_speedup": 6.6}],
    ),
    "quantiles_are_ordered": (
        [{"min_ms": 1, "p50_ms": 10, "p95_ms": 30, "p99_ms": 40, "max_ms": 41}],
        [{"p50_ms": 10, "p99_ms": 10}],
        [{"p50_ms": 10, "p99_ms": 9.99}, {"p99_ms": 50, "max_ms": 45}],
    ),
    "quantiles_have_samples": (
        [{"samples": 5000, "p50_ms": 10, "p99_ms": 40}],
        [{"samples": 1000, "p99_ms": 40}, {"samples": 200, "p95_ms": 40}, {"samples": 20, "p50_ms": 40}],
        [{"samples": 999, "p99_ms": 40}, {"samples": 199, "p95_ms": 40}, {"samples": 50, "lag_p99_s": 4}],
    ),
    "availability_has_enough_probes": (
        [{"availability": 0.9995, "probes": 10_000}, {"availability": 0.999, "probes": 10_000, "failed_probes": 2}],
        [{"availability": 0.9995, "probes": 6000}],
        [
            {"availability": 0.9995, "probes": 5800},
            {"availability": 0.9995, "probes": 6000, "failed_probes": 1},
            {"availability": 1.0, "probes": 10**9},
            {"availability": 0.99, "probes": 10_000, "failed_probes": 1000},
            {"availability": 0.9998, "probes": 300},
        ],
    ),
    "downtime_follows_from_availability": (
        [{"availability": 0.9998, "window_days": 30, "downtime_min": 8.64}],
        [{"availability": 0.9998, "window_days": 30, "downtime_min": 8.8}],
        [{"availability": 0.9995, "window_days": 30, "downtime_min": 8.8}],
    ),
    "availability_includes_the_outage": (
        [{"availability": 0.9, "outage_s": 20, "observed_s": 300}],
        [{"availability": 0.9, "outage_s": 30, "observed_s": 300}],
        [
            {"availability": 0.91, "outage_s": 30, "observed_s": 300},
            {"availability": 0.9995, "outage_s": 30, "observed_s": 300},
        ],
    ),
    "measured_states_its_samples": (
        [
            EVIDENCE,
            {"kind": "modelled"},
            {"kind": "measured", "measured_value": 0.3, "statistic": "max", "samples": 20},
            {"kind": "measured", "measured_value": 1, "statistic": "flag", "samples": 1},
            {"kind": "measured", "measured_value": 12, "statistic": "count"},
        ],
        [EVIDENCE | {"samples": 5}, {"kind": "measured", "measured_value": 0.3, "statistic": "min", "samples": 5}],
        [
            EVIDENCE | {"samples": 4},
            {"kind": "measured"},
            {"kind": "measured", "samples": 20},
            {"kind": "measured", "measured_value": 0.3, "statistic": "max", "samples": 4},
            {"kind": "measured", "measured_value": 0.3, "statistic": "max"},
            {"kind": "measured", "measured_value": 0.3, "statistic": "median", "samples": 20},
            {"kind": "measured", "measured_value": 0.3, "statistic": "flag", "samples": 20},
            {"kind": "measured", "measured_value": 12.5, "statistic": "count", "samples": 20},
            {"kind": "measured", "measured_value": 12, "statistic": "exact", "samples": 20},
            {"kind": "measured", "statistic": "count", "samples": 20},
        ],
    ),
    "measured_varies_little": (
        [EVIDENCE | {"spread": 5}, EVIDENCE | {"kind": "simulated", "spread": 50}],
        [EVIDENCE | {"spread": 10.1}],
        [EVIDENCE | {"spread": 10.2}, EVIDENCE | {"measured_value": 0}],
    ),
    "measured_states_its_load": (
        [EVIDENCE | {"load_1m": 0.2}, {"kind": "quoted"}],
        [EVIDENCE | {"load_1m": 0}],
        [EVIDENCE],
    ),
    "value_depends_on_the_work": (
        [{"values_with_work": [0.8, 0.81], "values_without_work": [0.0, 0.0]}],
        [{"values_with_work": [0.8, 0.81], "values_without_work": [0.79, 0.799]}],
        [
            {"values_with_work": [0.8, 0.81], "values_without_work": [0.7, 0.8]},
            {"values_with_work": [0.85 + 0.1 * 0.31, 0.85 + 0.1 * 0.92], "values_without_work": [0.87, 0.9]},
        ],
    ),
}

CLAUSES: dict[str, tuple[str, Clause]] = {
    clause.judge.__name__: (rule.code, clause) for rule in RULES for clause in rule.clauses
}


def cases(column: int) -> list[tuple[str, dict]]:
    return [(name, quantities) for name, columns in CASES.items() for quantities in columns[column]]


def says(name: str, quantities: dict) -> list[str]:
    """Return what a clause, asked through the engine, says about a claim."""
    code, clause = CLAUSES[name]
    claim = Claim(name, quantities)
    breach = clause.judge(
        **{key: value for key, value in claim.quantities.items() if key in (*clause.needs, *clause.may_use)}
    )
    found = [finding.sentence for finding in examine(claim).findings if finding.rule == code]
    assert breach is None or breach.sentence in found
    return [] if breach is None else [breach.sentence]


def test_there_are_twenty_rules_and_every_clause_has_its_cases() -> None:
    assert [rule.code for rule in RULES] == [f"R{number}" for number in range(1, 21)]
    assert set(CASES) == set(CLAUSES)
    assert all(all(columns) for columns in CASES.values())


# What can be true, and needs a written explanation; all else cannot be true.
NEEDS_EXPLANATION = {
    "mfu_is_usual",
    "efficiency_does_not_rise",
    "efficiency_is_at_most_one",
    "serial_fraction_does_not_fall",
    "speedup_obeys_amdahl",
    "target_detects_broken_batching",
    "engine_speedup_has_a_cause",
    "speedup_names_its_baseline",
    "wall_and_cpu_time_agree",
    "measured_states_its_samples",
    "measured_varies_little",
    "measured_states_its_load",
}


@pytest.mark.parametrize("name", CLAUSES)
def test_what_cannot_be_true_is_an_error_and_what_needs_an_explanation_a_warning(name: str) -> None:
    assert (CLAUSES[name][1].severity is Severity.WARNING) == (name in NEEDS_EXPLANATION)


def test_the_gravest_clause_of_each_rule() -> None:
    warnings = {rule.code for rule in RULES if rule.severity is Severity.WARNING}
    assert warnings == {"R5", "R18", "R19"}


@pytest.mark.parametrize(("name", "quantities"), cases(0))
def test_numbers_that_agree_are_left_alone(name: str, quantities: dict) -> None:
    assert says(name, quantities) == []


@pytest.mark.parametrize(("name", "quantities"), cases(1))
def test_numbers_at_the_bound_are_left_alone(name: str, quantities: dict) -> None:
    assert says(name, quantities) == []


@pytest.mark.parametrize(("name", "quantities"), cases(2))
def test_numbers_that_cannot_all_be_true_are_found(name: str, quantities: dict) -> None:
    (sentence,) = says(name, quantities)
    assert "\n" not in sentence
    assert sentence
    code, clause = CLAUSES[name]
    (finding,) = [one for one in examine(Claim(name, quantities)).findings if one.sentence == sentence]
    assert (finding.rule, finding.severity, finding.subject) == (code, clause.severity, name)
    assert isinstance(finding.computed, int | float)
    assert isinstance(finding.bound, int | float)
    assert finding.computed != finding.bound


@pytest.mark.parametrize(
    ("quantities", "computed", "bound"),
    [
        (H100 | {"tokens_per_s_per_gpu": 247_000}, 10.1, 1.0),
        ({"global_batch": 256, "sequence_length": 4096, "step_s": 0.129, "tokens_per_s": 1.98e6}, 1.98e6, 8.13e6),
        ({"parameters": P, "state_shards": 1, "gpu_memory_bytes": 80e9}, 108e9, 80e9),
        ({"worker_counts": [4, 8], "efficiencies": [0.97, 0.998]}, 0.998, 0.97),
        ({"whole_quantile": 48, "part_quantiles": [42, 38, 45]}, 48, 45),
        (FAILOVER | {"failover_max_s": 30}, 30, 150),
        (FAILOVER | {"check_interval_s": 10, "failover_max_s": 30}, 30, 90),
        (
            {"decode_tokens_per_s": 124, "decode_batch": 1, "weight_bytes": WEIGHTS}
            | {"memory_bytes_per_s": A100_BYTES_PER_S},
            124,
            115,
        ),
        ({"availability": 0.9995, "probes": 300}, 300, 6000),
        ({"availability": 0.9995, "outage_s": 30, "observed_s": 300}, 0.9995, 0.9),
        ({"samples": 50, "p99_ms": 48}, 50, 1000),
        ({"speedup": 6.9, "workers": 8, "scaling_efficiency": 0.73, "scaling_mode": "strong"}, 0.73, 0.8625),
        (
            {"target_decode_tokens_per_s": 100, "decode_batch": 10, "weight_bytes": WEIGHTS}
            | {"memory_bytes_per_s": A100_BYTES_PER_S},
            100,
            115,
        ),
    ],
)
def test_a_published_number_is_found_with_the_arithmetic(quantities: dict, computed: float, bound: float) -> None:
    (finding,) = examine(Claim("published", quantities)).findings
    assert finding.computed == pytest.approx(computed, rel=0.01)
    assert finding.bound == pytest.approx(bound, rel=0.01)


def test_a_factor_of_eight_is_named_as_bits_for_bytes() -> None:
    for quantities in (
        ALL_REDUCE | {"bus_bytes_per_s": 80e9},
        ALL_REDUCE | {"bus_bytes_per_s": 1.25e9},
        {"bus_bytes_per_s": 100e9, "link_bytes_per_s": 12.5e9},
    ):
        (finding,) = examine(Claim("x", quantities)).findings
        assert "bits taken for bytes" in finding.sentence


def test_a_claim_may_state_its_own_tolerance() -> None:
    printed = {"scaling_efficiency": 0.80, "speedup": 6.2, "workers": 8, "scaling_mode": "strong"}
    assert examine(Claim("x", printed)).findings
    assert not examine(Claim("x", printed | {"claim_tolerance": 0.05})).findings

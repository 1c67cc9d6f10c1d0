"""Rules about arithmetic: R1 MFU, R2 token conservation, R9 the compute roofline of inference.

Limitations: number formats mixed inside one step have no single peak, and structured sparsity is not modelled (the
dense peak is the bound).
"""

from __future__ import annotations

from labsupport.receipts.rule import TOLERANCE, Breach, Clause, Rule, Severity, differs, exceeds

# MegaScale reports 55.2 % on 12,288 GPUs (Jiang et al., NSDI 2024); well above that needs an explanation.
MFU_NEEDS_EXPLANATION = 0.65
MFU_PRINT_TOLERANCE = 0.05


def flops_per_token(parameters: float, layers: float = 0, hidden_size: float = 0, sequence_length: float = 0) -> float:
    """Return training FLOPs of one token: 6 P, plus 12 L d s for attention when the shape is given.

    Source: Kaplan et al. 2020 for 6 P; Chowdhery et al. 2022 (PaLM, appendix B) for the attention term.
    """
    return 6 * parameters + 12 * layers * hidden_size * sequence_length


def mfu_is_possible(
    tokens_per_s_per_gpu: float, parameters: float, peak_flops_per_s: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Bound the achieved FLOP/s by the peak: tokens/s/GPU * 6 P / peak <= 1.

    6 P counts no attention, so it is the least that any convention would count.
    """
    mfu = tokens_per_s_per_gpu * flops_per_token(parameters) / peak_flops_per_s
    if not exceeds(mfu, 1, claim_tolerance):
        return None
    return Breach(
        mfu,
        1.0,
        f"{tokens_per_s_per_gpu:.4g} tokens/s/GPU with {parameters:.3g} parameters is "
        f"{mfu * peak_flops_per_s:.3g} FLOP/s, {mfu:.1f} times the peak of {peak_flops_per_s:.3g}",
    )


def printed_mfu_is_a_share(mfu: float) -> Breach | None:
    """Bound a printed MFU: 0 < MFU <= 1."""
    if 0 < mfu <= 1:
        return None
    return Breach(mfu, 1.0, f"an MFU of {mfu:.3g} is not a share above 0 and up to 1 (42 % is 0.42)")


def printed_mfu_is_recomputed(
    mfu: float,
    tokens_per_s_per_gpu: float,
    parameters: float,
    peak_flops_per_s: float,
    layers: float = 0,
    hidden_size: float = 0,
    sequence_length: float = 0,
) -> Breach | None:
    """Compare a printed MFU with the recomputed one, within 5 %.

    Attention may be counted in full, by half (causal) or not at all: everything from 6 P to 6 P + 12 L d s is accepted.
    """
    per_flop = tokens_per_s_per_gpu / peak_flops_per_s
    low = per_flop * flops_per_token(parameters)
    high = per_flop * flops_per_token(parameters, layers, hidden_size, sequence_length)
    if low * (1 - MFU_PRINT_TOLERANCE) <= mfu <= high * (1 + MFU_PRINT_TOLERANCE):
        return None
    nearest = low if mfu < low else high
    return Breach(mfu, nearest, f"MFU is printed as {mfu:.3g}, tokens, parameters and peak give {nearest:.3g}")


def mfu_is_usual(mfu: float) -> Breach | None:
    """Ask for an explanation of an MFU above 0.65."""
    if not MFU_NEEDS_EXPLANATION < mfu <= 1:
        return None
    return Breach(mfu, MFU_NEEDS_EXPLANATION, f"an MFU of {mfu:.3g} is above what large runs publish; say how")


def tokens_follow_from_the_step(
    tokens_per_s: float, global_batch: float, sequence_length: float, step_s: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Equate throughput with the work of a step: tokens/s = batch * sequence length / step time."""
    computed = global_batch * sequence_length / step_s
    if not differs(tokens_per_s, computed, claim_tolerance):
        return None
    return Breach(
        tokens_per_s,
        computed,
        f"{global_batch:g} x {sequence_length:g} tokens in {step_s:g} s are {computed:.3g} tokens/s, "
        f"printed are {tokens_per_s:.3g}",
    )


def tokens_follow_from_the_gpus(
    tokens_per_s: float, tokens_per_s_per_gpu: float, gpus: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Equate the job's throughput with the sum over its GPUs: tokens/s = tokens/s/GPU * GPUs."""
    computed = tokens_per_s_per_gpu * gpus
    if not differs(tokens_per_s, computed, claim_tolerance):
        return None
    return Breach(
        tokens_per_s,
        computed,
        f"{gpus:g} GPUs of {tokens_per_s_per_gpu:.3g} tokens/s are {computed:.3g} tokens/s, "
        f"printed are {tokens_per_s:.3g}",
    )


def tokens_per_gpu_follow_from_the_step(
    tokens_per_s_per_gpu: float,
    gpus: float,
    global_batch: float,
    sequence_length: float,
    step_s: float,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Equate per-GPU throughput with the work of a step: tokens/s/GPU = batch * sequence length / step time / GPUs."""
    computed = global_batch * sequence_length / step_s / gpus
    if not differs(tokens_per_s_per_gpu, computed, claim_tolerance):
        return None
    return Breach(
        tokens_per_s_per_gpu,
        computed,
        f"{global_batch:g} x {sequence_length:g} tokens in {step_s:g} s on {gpus:g} GPUs are {computed:.3g} "
        f"tokens/s/GPU, printed are {tokens_per_s_per_gpu:.3g}",
    )


def samples_follow_from_the_step(
    samples_per_s: float, global_batch: float, step_s: float, claim_tolerance: float = TOLERANCE
) -> Breach | None:
    """Equate throughput in samples with the work of a step: samples/s = batch / step time."""
    computed = global_batch / step_s
    if not differs(samples_per_s, computed, claim_tolerance):
        return None
    return Breach(
        samples_per_s,
        computed,
        f"{global_batch:g} samples in {step_s:g} s are {computed:.3g} samples/s, printed are {samples_per_s:.3g}",
    )


def prefill_is_within_compute(
    prefill_tokens_per_s: float,
    parameters: float,
    peak_flops_per_s: float,
    tensor_parallel: float = 1,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Bound prompt tokens by arithmetic: tokens/s <= GPUs * peak / (2 P). Prefix-cache hits are not computed tokens."""
    return _within_compute(
        "prompt", prefill_tokens_per_s, parameters, peak_flops_per_s, tensor_parallel, claim_tolerance
    )


def decode_is_within_compute(
    decode_tokens_per_s: float,
    parameters: float,
    peak_flops_per_s: float,
    tensor_parallel: float = 1,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Bound generated tokens by arithmetic: tokens/s <= GPUs * peak / (2 P)."""
    return _within_compute(
        "generated", decode_tokens_per_s, parameters, peak_flops_per_s, tensor_parallel, claim_tolerance
    )


def _within_compute(
    which: str, tokens_per_s: float, parameters: float, peak_flops_per_s: float, gpus: float, claim_tolerance: float
) -> Breach | None:
    # One multiplication and one addition for each parameter a token passes through.
    bound = gpus * peak_flops_per_s / (2 * parameters)
    if not exceeds(tokens_per_s, bound, claim_tolerance):
        return None
    return Breach(
        tokens_per_s,
        bound,
        f"{tokens_per_s:.3g} {which} tokens/s need more arithmetic than {gpus:g} GPU(s) have: at most {bound:.3g}",
    )


_E, _W = Severity.ERROR, Severity.WARNING

RULES = (
    Rule(
        "R1",
        "a GPU computes at most at its peak",
        (
            Clause(_E, mfu_is_possible),
            Clause(_E, printed_mfu_is_a_share),
            Clause(_E, printed_mfu_is_recomputed),
            Clause(_W, mfu_is_usual),
        ),
    ),
    Rule(
        "R2",
        "tokens are conserved",
        (
            Clause(_E, tokens_follow_from_the_step),
            Clause(_E, tokens_follow_from_the_gpus),
            Clause(_E, tokens_per_gpu_follow_from_the_step),
            Clause(_E, samples_follow_from_the_step),
        ),
    ),
    Rule(
        "R9",
        "inference needs two operations per parameter and token",
        (Clause(_E, prefill_is_within_compute), Clause(_E, decode_is_within_compute)),
    ),
)

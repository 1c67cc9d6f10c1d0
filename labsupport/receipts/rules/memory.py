"""Rules about memory: R3 what must fit on a GPU, R8 how fast its bandwidth lets a model generate.

Limitations: state offloaded to CPU memory or disk is not modelled, nor are workspace and fragmentation (both make the
true need larger, so they cannot rescue a claim that is refused here), nor key/value heads that are replicated because
the tensor-parallel degree exceeds their number.
"""

from __future__ import annotations

from labsupport.receipts.rule import TOLERANCE, Breach, Clause, Rule, Severity, differs, exceeds

# Mixed-precision Adam: 2 B weights + 2 B gradients + 4 B master weights + 4 B momentum + 4 B variance.
# Source: Rajbhandari et al. 2020 (ZeRO), section 3.1.
ADAM_BYTES_PER_PARAMETER = 2 + 2 + 4 + 4 + 4


def kv_bytes(layers: float, kv_heads: float, head_size: float, bytes_per_element: float) -> float:
    """Return the bytes of keys and values cached for one token: 2 * layers * heads * head size * element."""
    return 2 * layers * kv_heads * head_size * bytes_per_element


def training_state_fits(
    parameters: float,
    state_shards: float,
    gpu_memory_bytes: float,
    state_bytes_per_parameter: float = ADAM_BYTES_PER_PARAMETER,
    activation_bytes: float = 0,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Bound training state by memory: P * bytes / shards + activations <= memory of one GPU.

    With a mixture of experts, `parameters` undercounts the state, which makes the rule milder, not wrong.
    """
    needed = parameters * state_bytes_per_parameter / state_shards + activation_bytes
    if not exceeds(needed, gpu_memory_bytes, claim_tolerance):
        return None
    return Breach(
        needed,
        gpu_memory_bytes,
        f"{parameters:.3g} parameters of {state_bytes_per_parameter:g} B in {state_shards:g} shard(s) need "
        f"{needed / 1e9:.3g} GB per GPU, which has {gpu_memory_bytes / 1e9:.3g} GB",
    )


def serving_state_fits(
    weight_bytes: float,
    tensor_parallel: float,
    gpu_memory_bytes: float,
    kv_bytes_per_token: float = 0,
    tokens_in_cache: float = 0,
    memory_utilization: float = 1,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Bound a server's weights and cache by memory: (weights + KV per token * tokens) / TP <= utilization * memory."""
    needed = (weight_bytes + kv_bytes_per_token * tokens_in_cache) / tensor_parallel
    bound = memory_utilization * gpu_memory_bytes
    if not exceeds(needed, bound, claim_tolerance):
        return None
    return Breach(
        needed,
        bound,
        f"weights and {tokens_in_cache:g} cached tokens need {needed / 1e9:.3g} GB on each of {tensor_parallel:g} "
        f"GPU(s), {bound / 1e9:.3g} GB may be used",
    )


def kv_bytes_follow_from_the_shape(
    kv_bytes_per_token: float,
    layers: float,
    kv_heads: float,
    head_size: float,
    bytes_per_element: float,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Compare printed KV bytes per token with 2 * layers * heads * head size * element."""
    computed = kv_bytes(layers, kv_heads, head_size, bytes_per_element)
    if not differs(kv_bytes_per_token, computed, claim_tolerance):
        return None
    return Breach(
        kv_bytes_per_token,
        computed,
        f"one token caches {computed:.4g} B for this shape, printed are {kv_bytes_per_token:.4g}",
    )


def decode_ceiling(
    weight_bytes: float,
    memory_bytes_per_s: float,
    decode_batch: float = 1,
    kv_bytes_per_sequence: float = 0,
    tensor_parallel: float = 1,
    tokens_per_pass: float = 1,
) -> float:
    """Return the tokens/s that memory bandwidth allows: every pass reads all weights once and every sequence's cache.

    batch * tokens per pass * GPUs * bandwidth / (weights + batch * cache of a sequence).
    """
    passes_per_s = tensor_parallel * memory_bytes_per_s / (weight_bytes + decode_batch * kv_bytes_per_sequence)
    return decode_batch * tokens_per_pass * passes_per_s


def decode_is_within_bandwidth(
    decode_tokens_per_s: float,
    decode_batch: float,
    weight_bytes: float,
    memory_bytes_per_s: float,
    kv_bytes_per_sequence: float = 0,
    tensor_parallel: float = 1,
    tokens_per_pass: float = 1,
    claim_tolerance: float = TOLERANCE,
) -> Breach | None:
    """Bound generated tokens by memory bandwidth; see `decode_ceiling`. Weights that stay in a cache do not count."""
    ceiling = decode_ceiling(
        weight_bytes, memory_bytes_per_s, decode_batch, kv_bytes_per_sequence, tensor_parallel, tokens_per_pass
    )
    if not exceeds(decode_tokens_per_s, ceiling, claim_tolerance):
        return None
    return Breach(
        decode_tokens_per_s,
        ceiling,
        f"{decode_tokens_per_s:.4g} tokens/s at batch {decode_batch:g} read more than the memory delivers: "
        f"at most {ceiling:.4g}",
    )


def target_detects_broken_batching(
    target_decode_tokens_per_s: float,
    decode_batch: float,
    weight_bytes: float,
    memory_bytes_per_s: float,
    tensor_parallel: float = 1,
) -> Breach | None:
    """Ask that a goal for a batched server lies above what one sequence at a time can reach."""
    single_stream = decode_ceiling(weight_bytes, memory_bytes_per_s, tensor_parallel=tensor_parallel)
    if decode_batch <= 1 or target_decode_tokens_per_s >= single_stream:
        return None
    return Breach(
        target_decode_tokens_per_s,
        single_stream,
        f"a goal of {target_decode_tokens_per_s:.4g} tokens/s at batch {decode_batch:g} is below the single-stream "
        f"ceiling of {single_stream:.4g}: a server that cannot batch may pass",
    )


_E, _W = Severity.ERROR, Severity.WARNING

RULES = (
    Rule(
        "R3",
        "what is held fits into memory",
        (Clause(_E, training_state_fits), Clause(_E, serving_state_fits), Clause(_E, kv_bytes_follow_from_the_shape)),
    ),
    Rule(
        "R8",
        "decoding reads the weights",
        (Clause(_E, decode_is_within_bandwidth), Clause(_W, target_detects_broken_batching)),
    ),
)

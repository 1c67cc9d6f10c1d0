"""The shape of a Llama-style transformer, and what follows from it by arithmetic: parameters, FLOPs, KV cache.

Free of torch, so that a capacity plan for 7 billion parameters costs no memory. Every count is checked against the
module itself (labsupport.training.models.llama) in the tests.

Limitations: no mixture of experts, scaled rotary frequencies (Llama 3.1 and later) or biases.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LlamaConfig:
    """One decoder-only transformer, with the field names of the Hugging Face configuration."""

    vocab_size: int = 256
    """Different tokens: 256 when they are bytes."""
    hidden_size: int = 96
    intermediate_size: int = 256
    """Inner width of the SwiGLU block: about 8/3 of the hidden size, for three matrices with the weights of two."""
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    """Fewer than attention heads: each serves a group of them (grouped-query attention), and the KV cache shrinks."""
    rope_theta: float = 10_000.0
    """Base of the rotary wavelengths, in tokens: the slowest pair turns once in about 2 pi theta tokens."""
    rms_norm_eps: float = 1e-5
    tie_word_embeddings: bool = False
    """Use the embedding matrix as the output matrix, too."""
    initializer_range: float = 0.02
    """Standard deviation of the first weights."""
    dropout: float = 0.0
    """Share of the values dropped from the embeddings and from each block's output, in training only. 0 in Llama."""

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads or self.head_size % 2:
            raise ValueError(
                f"hidden_size {self.hidden_size} over num_attention_heads {self.num_attention_heads} must be a whole, "
                "even head size, for rotary embeddings turn pairs"
            )
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_key_value_heads {self.num_key_value_heads} must divide num_attention_heads "
                f"{self.num_attention_heads}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not in [0, 1)")

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @property
    def layer_matrix_parameters(self) -> int:
        """Weights of one layer that multiply activations: q, k, v, o and the three matrices of SwiGLU."""
        key_value_size = self.num_key_value_heads * self.head_size
        attention = 2 * self.hidden_size * self.hidden_size + 2 * self.hidden_size * key_value_size
        return attention + 3 * self.hidden_size * self.intermediate_size

    @property
    def parameters(self) -> int:
        """All weights; tied matrices count once."""
        layer = self.layer_matrix_parameters + 2 * self.hidden_size
        matrices = 1 if self.tie_word_embeddings else 2
        return self.num_hidden_layers * layer + self.hidden_size + matrices * self.vocab_size * self.hidden_size

    @property
    def active_parameters(self) -> int:
        """Weights that multiply every token, the N of "6 N": all matrices but the embedding look-up."""
        return self.num_hidden_layers * self.layer_matrix_parameters + self.vocab_size * self.hidden_size


def flops_per_token(config: LlamaConfig, sequence: int, *, training: bool = True, attention: bool = True) -> int:
    """Return the FLOPs of one token in a sequence of `sequence` tokens; a multiply-add is 2 FLOPs.

    Convention: 2 N for the weights (N without the embedding look-up) and 4 L d s for the attention scores and their
    weighted sum over the *full* square of s x s, which is what torch's counter and most published MFU figures count;
    a kernel that skips the masked half does less. Training is three times the forward pass: 6 N + 12 L d s.
    Recomputed activations do not count (that would be HFU). Norms, rotations and softmax are left out.

    Source: Kaplan et al. 2020 (arXiv:2001.08361) for 6 N; Chowdhery et al. 2022 (PaLM, appendix B) for 12 L d s.

    Args:
        attention: False leaves the second term out, as "6 N D" estimates do.
    """
    flops = 2 * config.active_parameters
    if attention:
        flops += 4 * config.num_hidden_layers * config.hidden_size * sequence
    return 3 * flops if training else flops


def kv_bytes(config: LlamaConfig, tokens: int, bytes_per_value: int = 2) -> int:
    """Return the bytes of keys and values cached for `tokens` tokens: 2 L h_kv d_head each, 2 bytes in FP16/BF16."""
    per_token = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_size * bytes_per_value
    return tokens * per_token


PRESETS: dict[str, LlamaConfig] = {
    # Ours: four layers and two KV heads, so that pipeline and tensor parallelism over 2 or 4 workers divide it.
    "llama-tiny": LlamaConfig(),
    # Touvron et al. 2023 (arXiv:2307.09288): 6,738,415,616 parameters.
    "llama-2-7b": LlamaConfig(
        vocab_size=32_000,
        hidden_size=4096,
        intermediate_size=11_008,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=32,
    ),
    # Llama team 2024 (arXiv:2407.21783): 8,030,261,248 parameters.
    "llama-3-8b": LlamaConfig(
        vocab_size=128_256,
        hidden_size=4096,
        intermediate_size=14_336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        rope_theta=500_000.0,
    ),
}

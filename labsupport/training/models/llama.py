"""A Llama-style decoder-only transformer (Touvron et al. 2023, arXiv:2302.13971 and 2307.09288).

RMSNorm before each block, rotary position embeddings, SwiGLU, grouped-query attention, no biases. Parameters carry the
names of Hugging Face's `LlamaForCausalLM`, so the weights of one load in the other. Rotary embeddings turn the pairs
(i, i + d/2) of a head, as Hugging Face does; Meta's own checkpoints order their rows for the pairs (2i, 2i + 1).

Limitations: no KV cache and no generation (project 202), no padding masks, packed documents or scaled rotary
frequencies.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the name PyTorch's own documentation uses

from labsupport.training.models.llama_config import LlamaConfig

Rotation = tuple[torch.Tensor, torch.Tensor]


def rotation(positions: torch.Tensor, head_size: int, theta: float, dtype: torch.dtype) -> Rotation:
    """Return cosine and sine, (T, head_size) each, of the angles by which positions (T,) turn the pairs of a head.

    Pair i turns by position * theta^(-2i / head_size) (Su et al. 2021, arXiv:2104.09864).
    """
    # In at least single precision whatever the model's type: bfloat16 cannot tell position 257 from 256.
    exact = torch.promote_types(dtype, torch.float32)
    frequencies = theta ** (-torch.arange(0, head_size, 2, dtype=exact, device=positions.device) / head_size)
    angles = torch.outer(positions.to(exact), frequencies).repeat(1, 2)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn the pairs (i, i + d/2) of x (..., T, d) by the angles of their positions."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    """Causal self-attention with fewer key-value heads than query heads."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.head_size = config.head_size
        key_value_size = config.num_key_value_heads * config.head_size
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, key_value_size, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, key_value_size, bias=False)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, x: torch.Tensor, turn: Rotation) -> torch.Tensor:
        # (N, heads, T, head_size); how many heads follows from the weights, so that a shard of them works, too.
        projected = (proj(x).unflatten(-1, (-1, self.head_size)) for proj in (self.q_proj, self.k_proj, self.v_proj))
        q, k, v = (heads.transpose(1, 2) for heads in projected)
        heads = F.scaled_dot_product_attention(
            rotate(q, *turn), rotate(k, *turn), v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1]
        )
        out: torch.Tensor = self.o_proj(heads.transpose(1, 2).flatten(2))
        return out


class SwiGLU(nn.Module):
    """A gated feed-forward block: down(silu(gate(x)) * up(x)) (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class DecoderLayer(nn.Module):
    """Attention and SwiGLU, each behind a norm and beside a residual connection."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = SwiGLU(config)
        self.input_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: torch.Tensor, turn: Rotation) -> torch.Tensor:
        x = x + self.dropout(self.self_attn(self.input_layernorm(x), turn))
        return x + self.dropout(self.mlp(self.post_attention_layernorm(x)))


class LlamaModel(nn.Module):
    """Tokens (N, T) to hidden states (N, T, hidden_size)."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.dropout(self.embed_tokens(tokens))
        positions = torch.arange(tokens.shape[-1], device=x.device)
        turn = rotation(positions, self.config.head_size, self.config.rope_theta, x.dtype)
        for layer in self.layers:
            x = layer(x, turn)
        out: torch.Tensor = self.norm(x)
        return out


class Llama(nn.Module):
    """Predict the next token: tokens (N, T) to logits (N, T, vocab_size); logits at t depend on tokens up to t."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.model = LlamaModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        for parameter in self.parameters():
            if parameter.ndim == 2:  # the vectors are the gains of the norms, which start at one
                nn.init.normal_(parameter, std=config.initializer_range)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.lm_head(self.model(tokens))
        return logits

from __future__ import annotations

import pytest

from labsupport.receipts.rules.compute import flops_per_token


def test_attention_of_llama_2_7b_adds_a_sixth_at_4096_tokens() -> None:
    dense = flops_per_token(6.74e9)
    assert flops_per_token(6.74e9, layers=32, hidden_size=4096, sequence_length=4096) / dense == pytest.approx(
        1.159, abs=1e-3
    )

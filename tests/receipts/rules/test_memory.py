from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.receipts.rules.memory import decode_ceiling, kv_bytes


def test_llama_2_7b_caches_half_a_mebibyte_per_token() -> None:
    assert kv_bytes(layers=32, kv_heads=32, head_size=128, bytes_per_element=2) == 2**19


def test_one_stream_on_an_a100_is_bound_by_its_bandwidth() -> None:
    assert decode_ceiling(13.5e9, 1555e9) == pytest.approx(115, abs=0.5)


@given(batch=st.integers(1, 512), kv=st.floats(0, 1e10))
def test_batching_helps_until_the_cache_dominates(batch: int, kv: float) -> None:
    more = decode_ceiling(13.5e9, 1555e9, batch + 1, kv)
    assert decode_ceiling(13.5e9, 1555e9, batch, kv) <= more * (1 + 1e-12)
    assert kv == 0 or more < 1555e9 / kv * (1 + 1e-12)

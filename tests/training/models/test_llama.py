"""The transformer is Llama: the published sizes, the logits of an independent implementation, and causal."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labsupport.training.models.flops import count_flops
from labsupport.training.models.llama import Llama, rotate, rotation
from labsupport.training.models.llama_config import PRESETS, LlamaConfig, flops_per_token, kv_bytes

SMALL = LlamaConfig(
    vocab_size=50,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def built(config: LlamaConfig, seed: int = 0) -> Llama:
    torch.manual_seed(seed)
    return Llama(config)


def on_meta(config: LlamaConfig) -> Llama:
    with torch.device("meta"):
        return Llama(config)


def tokens(*shape: int, vocabulary: int = 50, seed: int = 1) -> torch.Tensor:
    return torch.randint(vocabulary, shape, generator=torch.Generator().manual_seed(seed))


# Quoted: the sums of the published checkpoints' tensors (Llama-2-7b-hf, Meta-Llama-3-8B).
@pytest.mark.parametrize(("name", "count"), [("llama-2-7b", 6_738_415_616), ("llama-3-8b", 8_030_261_248)])
def test_it_has_as_many_parameters_as_published(name, count):
    assert sum(parameter.numel() for parameter in on_meta(PRESETS[name]).parameters()) == count


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("key_value_heads", [1, 2, 4])
def test_the_closed_form_counts_the_parameters_of_the_module(tied, key_value_heads):
    config = replace(SMALL, tie_word_embeddings=tied, num_key_value_heads=key_value_heads)
    assert config.parameters == sum(parameter.numel() for parameter in on_meta(config).parameters())


def test_the_tiny_model_suits_a_cpu_and_divides_over_four_pipeline_stages_and_two_tensor_ranks():
    tiny = PRESETS["llama-tiny"]
    assert 400_000 <= tiny.parameters <= 3_500_000
    assert tiny.num_hidden_layers % 4 == tiny.num_attention_heads % 2 == tiny.num_key_value_heads % 2 == 0


@pytest.mark.parametrize("theta", [10_000.0, 500_000.0])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("key_value_heads", [2, 4])
def test_the_logits_are_those_of_transformers_with_the_same_weights(theta, tied, key_value_heads):
    from transformers import LlamaConfig as TheirConfig
    from transformers import LlamaForCausalLM

    config = replace(SMALL, rope_theta=theta, tie_word_embeddings=tied, num_key_value_heads=key_value_heads)
    torch.manual_seed(0)
    fields = asdict(config)
    del fields["dropout"], fields["rope_theta"]
    theirs = LlamaForCausalLM(
        TheirConfig(
            **fields, rope_parameters={"rope_type": "default", "rope_theta": theta}, bos_token_id=0, eos_token_id=1
        )
    ).eval()
    for parameter in theirs.parameters():  # gains other than one, weights large enough to show a difference
        torch.nn.init.normal_(parameter, std=0.3)
    ours = Llama(config)
    ours.load_state_dict(theirs.state_dict())
    text = tokens(2, 40)
    with torch.no_grad():
        torch.testing.assert_close(ours(text), theirs(text).logits, atol=1e-5, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(changed=st.integers(0, 15), token=st.integers(0, 49))
def test_changing_a_token_never_changes_an_earlier_logit(changed, token):
    model, text = built(SMALL), tokens(1, 16)
    other = text.clone()
    other[0, changed] = token
    with torch.no_grad():
        before, after = model(text), model(other)
    assert torch.equal(before[:, :changed], after[:, :changed])
    if token != text[0, changed]:
        assert not torch.equal(before[:, changed:], after[:, changed:])


@settings(max_examples=50, deadline=None)
@given(first=st.integers(0, 500), second=st.integers(0, 500), shift=st.integers(0, 4000))
def test_a_rotated_score_depends_on_the_distance_of_two_positions_only(first, second, shift):
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 1, 24, generator=generator, dtype=torch.float64)

    def score(query_at: int, key_at: int) -> float:
        cos, sin = rotation(torch.tensor([query_at, key_at]), 24, 10_000.0, torch.float64)
        return (rotate(query, cos[:1], sin[:1]) * rotate(key, cos[1:], sin[1:])).sum().item()

    assert score(first, second) == pytest.approx(score(first + shift, second + shift), abs=1e-9)


def test_a_rotation_keeps_the_length_of_a_vector_and_position_zero_keeps_the_vector():
    vectors = torch.randn(10, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned = rotate(vectors, *rotation(torch.arange(10), 24, 10_000.0, torch.float64))
    torch.testing.assert_close(turned.norm(dim=-1), vectors.norm(dim=-1))
    assert torch.equal(turned[0], vectors[0])


def test_half_precision_still_tells_neighbouring_positions_apart():
    cos, _ = rotation(torch.tensor([256, 257]), 24, 10_000.0, torch.bfloat16)
    assert not torch.equal(cos[0], cos[1])


@pytest.mark.parametrize("sequence", [16, 256])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("config", [PRESETS["llama-tiny"], replace(PRESETS["llama-3-8b"], num_hidden_layers=2)])
def test_the_flops_formula_agrees_with_the_counter_within_two_percent(config, training, sequence):
    batch = torch.zeros(2, sequence, dtype=torch.int64, device="meta")
    counted = count_flops(on_meta(config), batch, training=training) / batch.numel()
    assert flops_per_token(config, sequence, training=training) == pytest.approx(counted, rel=0.02)


def test_the_counter_sees_attention_on_the_cpu_as_well_as_on_the_meta_device():
    text = tokens(2, 16)
    assert count_flops(built(SMALL), text) == count_flops(on_meta(SMALL), text.to("meta"))


def test_without_attention_the_formula_is_six_flops_per_active_parameter():
    config = PRESETS["llama-2-7b"]
    assert flops_per_token(config, 4096, attention=False) == 6 * config.active_parameters
    # 32 layers, hidden size 4096: 12 L d s
    assert flops_per_token(config, 4096) - 6 * config.active_parameters == 12 * 32 * 4096 * 4096


def test_llama_2_caches_half_a_mebibyte_per_token_and_grouped_queries_a_quarter_of_it():
    assert kv_bytes(PRESETS["llama-2-7b"], 1) == 512 * 1024
    assert kv_bytes(PRESETS["llama-3-8b"], 1) == 128 * 1024
    assert kv_bytes(PRESETS["llama-2-7b"], 4096, bytes_per_value=1) == 2**30


def test_dropout_draws_from_the_global_random_numbers_in_training_only():
    model, text = built(replace(SMALL, dropout=0.3)), tokens(1, 16)
    model.train()
    torch.manual_seed(5)
    first, second = model(text), model(text)
    torch.manual_seed(5)
    assert torch.equal(model(text), first)
    assert not torch.equal(first, second)
    state = torch.get_rng_state()
    model.eval()
    assert torch.equal(model(text), model(text))
    assert torch.equal(torch.get_rng_state(), state)


def test_tied_matrices_are_one_parameter():
    model = built(replace(SMALL, tie_word_embeddings=True))
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert "lm_head.weight" not in dict(model.named_parameters())


def test_it_learns_a_repeated_phrase():
    model, text = built(SMALL), tokens(4, 17)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-2)
    losses = []
    for _ in range(40):
        logits = model(text[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(torch.tensor(50.0).log().item(), rel=0.05)  # uniform over the vocabulary
    assert losses[-1] < 0.5


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"hidden_size": 30}, "hidden_size 30 over num_attention_heads 4"),
        ({"hidden_size": 20}, "even head size"),
        ({"num_key_value_heads": 3}, "num_key_value_heads 3 must divide num_attention_heads 4"),
        ({"dropout": 1.0}, "dropout 1.0 is not in"),
    ],
)
def test_an_impossible_shape_names_the_field(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        LlamaConfig(**fields)

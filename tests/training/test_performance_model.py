"""The performance model adds up what it says, and its memory is that of the ZeRO paper."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.errors import LabsError
from labsupport.training.communication.alpha_beta import AlphaBeta
from labsupport.training.models.llama_config import PRESETS, flops_per_token
from labsupport.training.performance_model import Calibration, Layout, memory, mfu, step_time

SEVEN_B = PRESETS["llama-2-7b"]
GIB = 2**30
H100 = Calibration(flops_per_s=4e14, all_reduce=AlphaBeta(1e-4, 2e11), overhead_s=0.01)


def predicted(layout, calibration=H100, **sizes):
    return step_time(SEVEN_B, layout, calibration, **{"global_batch": 64, "sequence": 2048} | sizes)


def test_one_device_only_computes():
    step = predicted(Layout())
    assert step.compute_s == pytest.approx(flops_per_token(SEVEN_B, 2048) * 64 * 2048 / 4e14)
    assert (step.bubble_s, step.communication_s, step.overhead_s) == (0, 0, 0.01)
    assert step.efficiency == pytest.approx(step.compute_s / (step.compute_s + 0.01))


@given(data=st.sampled_from([2, 4, 8, 16, 32, 64]))
def test_data_parallel_ranks_divide_the_compute_and_add_one_all_reduce_of_the_gradients(data):
    one, many = predicted(Layout()), predicted(Layout(data=data))
    assert many.compute_s == pytest.approx(one.compute_s / data)
    assert many.communication_s == pytest.approx(1e-4 + SEVEN_B.parameters * 2 / 2e11)
    assert many.efficiency < one.efficiency


def test_what_overlaps_with_the_backward_pass_is_not_waited_for():
    half = predicted(Layout(data=2), replace(H100, overlap=0.5))
    assert half.communication_s == pytest.approx(predicted(Layout(data=2)).communication_s / 2)


def test_tensor_and_pipeline_ranks_divide_the_gradients_too():
    split = predicted(Layout(data=2, tensor=2, pipeline=2, micro_batches=8))
    assert split.communication_s == pytest.approx(1e-4 + SEVEN_B.parameters * 2 / 4 / 2e11)
    assert split.compute_s == pytest.approx(predicted(Layout()).compute_s / 8)


@given(p=st.integers(1, 8), m=st.integers(1, 32))
def test_the_bubble_is_its_share_of_the_time_spent_in_the_pipeline(p, m):
    step = predicted(Layout(pipeline=p, micro_batches=m))
    assert step.bubble_s / (step.bubble_s + step.compute_s) == pytest.approx((p - 1) / (m + p - 1))


@pytest.mark.parametrize(("stage", "gigabytes"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_the_memory_of_seven_and_a_half_billion_parameters_on_64_ranks_is_that_of_figure_1_of_the_paper(
    stage, gigabytes
):
    scaled = memory(SEVEN_B, Layout(data=64, zero_stage=stage)).total * 7.5e9 / SEVEN_B.parameters
    assert scaled / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_activations_are_held_for_as_many_micro_batches_as_the_pipeline_is_deep():
    assert memory(SEVEN_B, Layout(pipeline=4, micro_batches=16), GIB).activations == 4 * GIB
    assert memory(SEVEN_B, Layout(pipeline=4, micro_batches=2), GIB).activations == 2 * GIB


def test_mfu_is_what_the_model_needs_over_what_the_devices_can_do():
    tokens_per_s = 0.4 * 8 * 9.89e14 / flops_per_token(SEVEN_B, 4096)
    assert mfu(tokens_per_s, SEVEN_B, 4096, 9.89e14, devices=8) == pytest.approx(0.4)


def test_impossible_layouts_and_rates_are_refused_by_name():
    with pytest.raises(LabsError, match="tensor is 0: at least 1"):
        Layout(tensor=0)
    with pytest.raises(LabsError, match="zero_stage is 4: one of 0, 1, 2, 3"):
        Layout(zero_stage=4)
    with pytest.raises(LabsError, match="global_batch 64 cannot be shared equally by 3"):
        predicted(Layout(data=3))
    with pytest.raises(LabsError, match="must be above 0"):
        mfu(0, SEVEN_B, 2048, 1e15)

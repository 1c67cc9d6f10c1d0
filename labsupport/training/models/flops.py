"""Count the FLOPs of a module by running it, to check the formulas that MFU rests on.

Limitations: elementwise work (activations, norms, softmax) does not count; torch's counter leaves it out.
"""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_flops(model: torch.nn.Module, inputs: torch.Tensor, *, training: bool = False) -> int:
    """Return the FLOPs of one forward pass, or of forward and backward; a multiply-add is 2 FLOPs.

    Build the model and the inputs on the "meta" device to count any size without computing or storing anything.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # The counter does not see inside the fused attention kernel of the CPU and would report zero for it.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        outputs = model(inputs)
        if training:  # not backward(): it would leave gradients in the caller's model
            torch.autograd.grad(outputs, parameters, torch.ones_like(outputs))
    flops: int = counter.get_total_flops()
    return flops

"""Notice a parameter that changed by itself: replicas of data-parallel training hold the same bits, or one is corrupt.

Every N steps each rank digests its parameters, tensor by tensor, and the digests are compared. A bit that flipped in
one rank's memory shows at the next comparison, since every later all-reduce averages gradients, not parameters, and
never brings the replicas together again. With three ranks or more the minority is the corrupt one; two ranks can only
say that they differ.

Limitations: a gradient that was wrong before the all-reduce is wrong on every rank alike and is not seen here (the
guard against spikes and NaN sees the gross ones); sharded parameters (ZeRO 3, FSDP) have no replica to compare.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from labsupport.errors import LabsError

if TYPE_CHECKING:
    import torch

Digests = Mapping[str, str]  # parameter -> sha256 of its bytes


def parameter_digests(state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Return the sha256 of every tensor of a state dict, by name."""
    import torch

    return {
        name: hashlib.sha256(
            tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
        ).hexdigest()
        for name, tensor in state.items()
    }


@dataclass(frozen=True)
class Corruption:
    """Parameters on which the ranks disagree; `ranks` are the corrupt ones, empty where no majority says which."""

    step: int
    parameters: tuple[str, ...]
    ranks: tuple[int, ...]

    def __str__(self) -> str:
        who = f"rank {', '.join(map(str, self.ranks))}" if self.ranks else "one rank, there is no majority to say which"
        return f"silent corruption at step {self.step}: {who}, in {', '.join(self.parameters)}"


def compare_ranks(step: int, ranks: Sequence[Digests]) -> Corruption | None:
    """Return where the ranks' digests differ, or None.

    Raises:
        LabsError: fewer than two ranks, or ranks that hold other parameters.
    """
    if len(ranks) < 2:
        raise LabsError("one rank has nobody to be compared with: silent corruption needs at least 2 replicas")
    names = ranks[0].keys()
    for rank, digests in enumerate(ranks):
        if digests.keys() != names:
            other = sorted(digests.keys() ^ names)[0]
            raise LabsError(f"rank {rank} and rank 0 do not hold the same parameters, such as {other}: not replicas")
    differing: list[str] = []
    corrupt: set[int] = set()
    attributed = True
    for name in names:
        values = [digests[name] for digests in ranks]
        (common, votes), *rest = Counter(values).most_common()
        if not rest:
            continue
        differing.append(name)
        if 2 * votes > len(ranks):
            corrupt.update(rank for rank, value in enumerate(values) if value != common)
        else:
            attributed = False
    if not differing:
        return None
    return Corruption(step, tuple(differing), tuple(sorted(corrupt)) if attributed else ())


@dataclass(frozen=True)
class LossGuard:
    """A spike or a loss that is no number: what it was, against the median of the steps before."""

    step: int
    loss: float
    median: float

    def __str__(self) -> str:
        return f"step {self.step}: loss {self.loss:g}, the steps before had {self.median:g}"


class LossMonitor:
    """Feed it one loss per step; it returns NaN, infinity and spikes above `factor` times the median as `LossGuard`."""

    def __init__(self, factor: float = 3.0, window: int = 50, after: int = 10) -> None:
        if not (factor > 1 and window >= after >= 1):
            raise LabsError(f"factor {factor}, window {window}, after {after}: factor above 1, window >= after >= 1")
        self._factor, self._after = factor, after
        self._losses = deque[float](maxlen=window)

    def observe(self, step: int, loss: float) -> LossGuard | None:
        """Judge one loss; one that is refused does not enter the median."""
        usual = median(self._losses) if self._losses else math.nan
        spike = len(self._losses) >= self._after and loss > self._factor * usual
        if not math.isfinite(loss) or spike:
            return LossGuard(step, loss, usual)
        self._losses.append(loss)
        return None

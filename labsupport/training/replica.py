"""One worker of a process group, as the training loop sees it: what it saves, and what it starts from.

A checkpoint is written where it stays, in the folder of the run, by every rank its own part. Rank 0 chooses what to
start from (labsupport.training.recovery) and the others take its word.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labsupport.durable import make_folder_durably
from labsupport.errors import LabsError
from labsupport.training.checkpoint import load_random_state, load_run_state, next_checkpoint_name
from labsupport.training.loop import Saved
from labsupport.training.recovery import checkpoint_names, find_starting_point, remove_obsolete
from labsupport.training.run_folder import CHECKPOINTS
from labsupport.training.spec import TrainSpec

if TYPE_CHECKING:
    import torch


class GroupReplica:
    """A worker of PyTorch's default process group, or of none where there is one worker."""

    def __init__(self, run: Path, spec: TrainSpec, rank: int, world_size: int, device: torch.device) -> None:
        self.rank, self.world_size, self.device = rank, world_size, device
        self._run, self._spec = run, spec
        self._skipped: set[str] = set()  # checkpoints that cannot be used
        self._taken: set[str] = set()  # names of checkpoints, the same on every rank

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        """Wrap the model so that backward() averages gradients over all workers."""
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(model) if self.world_size > 1 else model

    def saved(self) -> Saved:
        """Return what the newest usable checkpoint of the run holds.

        Raises:
            LabsError: the run had saved something and nothing of it can be used.
        """
        import torch.distributed as dist

        found: list[Any] = [None, (), ""]  # where to start, names that are taken, why there is no start
        if self.rank == 0:
            try:
                found[:2] = find_starting_point(self._run, self._spec), checkpoint_names(self._run)
            except LabsError as error:
                found[2] = str(error)
        if dist.is_initialized():
            dist.broadcast_object_list(found, src=0)
        start, taken, problem = found
        if start is None:
            raise LabsError(problem)
        self._skipped, self._taken = set(start.skipped), set(taken)
        skipped = tuple(start.skipped.values())
        if start.checkpoint is None:
            return Saved(skipped=skipped)
        folder = self._run / CHECKPOINTS / start.checkpoint
        run_state = load_run_state(folder)
        same_world_size = run_state["world_size"] == self.world_size
        return Saved(run_state, load_random_state(folder, self.rank) if same_world_size else None, skipped)

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        """Write this rank's part of a checkpoint, wait for the others, and remove what is then obsolete."""
        import torch

        folder = self._run / CHECKPOINTS / next_checkpoint_name(step, self._taken)
        self._taken.add(folder.name)
        make_folder_durably(folder)
        write(folder)
        # Once every rank has come here the checkpoint is complete, and an older one can go.
        float(self.sum(torch.zeros((), device=self.device)))
        if self.rank == 0:
            remove_obsolete(self._run, self._skipped, self._spec.checkpoints_to_keep)

    def broadcast_buffers(self, model: torch.nn.Module) -> None:
        """Give every worker rank 0's buffers."""
        import torch.distributed as dist

        if dist.is_initialized():
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the element-wise sum of `values` over all workers."""
        import torch.distributed as dist

        if not dist.is_initialized() or self.world_size == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total

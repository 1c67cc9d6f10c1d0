"""One rank of a process group that trains without Ray, which would cost ten times the CPU time to start.

    python group_worker.py RANK JOBS

JOBS is a JSON file: a list of {"spec": ..., "run": folder, "world_size": W}. Each job is a run in a group of its own;
rank 0 leaves what the workers returned in <folder>/returned.json.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
import torch.distributed as dist

from labsupport.training.events import EventLog
from labsupport.training.loop import run_worker
from labsupport.training.replica import GroupReplica
from labsupport.training.run_folder import EVENTS
from labsupport.training.spec import TrainSpec


def main(rank: int, jobs: list[dict]) -> None:
    for number, job in enumerate(jobs):
        if rank >= job["world_size"]:
            continue
        spec, run = TrainSpec.from_dict(job["spec"]), Path(job["run"])
        dist.init_process_group(
            "gloo", init_method=f"file://{run}/group{number}", rank=rank, world_size=job["world_size"]
        )
        log = EventLog(run / EVENTS, rank)
        returned = run_worker(spec, GroupReplica(run, spec, rank, job["world_size"], torch.device("cpu")), log)
        log.close()
        dist.destroy_process_group()
        if rank == 0:
            (run / "returned.json").write_text(json.dumps(asdict(returned)))


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))

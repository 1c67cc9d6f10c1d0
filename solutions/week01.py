# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Week 1 · Ray and data-parallel training
#
# A team doubles its GPUs on Friday. On Monday the loss curve has changed, and nobody can say whether it was the
# batch, the learning rate, the sampler or the hardware: three weeks of runs cannot be compared with the ones before.
# **A distributed run that does not reproduce the single-process run on the same global batches is a different
# experiment.** This lab makes them equal to the last digits, takes the machinery apart, and then kills a worker in the
# middle of an epoch to see whether anything is lost.
#
# | you will | on | with |
# |---|---|---|
# | look at a running Ray from outside, and kill a part of it | your processes | section 1 |
# | decide who trains which sample | graded as you run it | section 2 |
# | train on two workers and on one, and compare every loss | your sampler, real training, 2 CPU cores | sections 3, 4 |
# | write a ring all-reduce, a gradient average and a schedule | graded; the ring on processes, too | sections 5 to 7 |
# | lose a worker to SIGKILL | your sampler, real processes | section 8 |
#
# Everything here runs on two CPU cores. With two GPUs the same code uses NCCL; with one, sections 3 and 8 stay on CPU
# cores, since NCCL puts no two workers on one GPU, and section 4 measures a step on it. A number in the next cell
# decides otherwise.

# %% tags=["parameters"]
seed = 0
num_workers = None  # None: two, on the devices that are here
gpus_per_worker = None

# %%
import os
import time

import numpy as np
import pandas as pd

from checks import week01
from labsupport import (
    BarFigure, Line, LineFigure, ReceiptTable, TrainingProgress, WordTable, machine, profile, record, scoreboard, format_guess,
)
from labsupport.training import collectives, drill, metrics, placement, ray_anatomy, ray_session, run_folder, trainer
from labsupport.training.crash_schedules import Recovery, failing_seeds, newest_only
from labsupport.training.loop import train_alone
from labsupport.training.receipts import record_drill, record_run, record_schedules
from labsupport.training.result import largest_difference
from labsupport.training.spec import TrainSpec

sizes = profile()
placed = placement.place(num_workers, gpus_per_worker)
num_workers, gpus_per_worker = placed.num_workers, placed.gpus_per_worker
print(f"{machine().summary}; sizes: {sizes.name}")
print(placed)

# %% [markdown]
# ## 1 · A running Ray, seen from outside
#
# Ray is a handful of processes. Operators meet them as lines in `ps` at three in the morning, so start there and not at
# the API. The next cell starts Ray on this machine; on a cluster the same processes are spread over nodes.

# %%
session = ray_session.start(dashboard=True)
print(f"GCS (what `ray status --address` wants): {session.gcs_address}")
print(f"dashboard and Jobs API (a browser, `ray job submit --address`): {session.dashboard_url}")

# %%
WordTable(
    [(one.role, one.pid, one.cpu_s, one.rss_mib, one.purpose) for one in ray_anatomy.processes()],
    columns=["role", "pid", "CPU, s", "resident, MiB", "what it is for"],
)

# %% [markdown]
# **The object store is not in the list: it is a piece of shared memory that the raylet owns.** Put an array of 64 MiB
# into it and let two actors read it. Each actor is a process; a copy apiece would show in its own memory.

# %%
import ray


@ray.remote(num_cpus=0)
class Reader:
    def look(self, array):
        import psutil

        before = psutil.Process().memory_full_info().uss
        total = float(array.sum())  # touches every page
        return os.getpid(), total, (psutil.Process().memory_full_info().uss - before) / 2**20

    def ping(self):
        return os.getpid()


readers = [Reader.remote() for _ in range(2)]
reference = ray.put(np.ones(2**23))
pd.DataFrame(
    ray.get([reader.look.remote(reference) for reader in readers]),
    columns=["process", "sum of 8,388,608 ones", "private memory gained, MiB"],
).round(1)

# %% [markdown]
# Both actors see 64 MiB and neither gained 64 MiB: they map the same pages, read-only. On another node the raylet would
# fetch one copy for all its workers.
#
# Now break something. The dashboard is where most people look, and what they fear for. **Kill it and ask an actor
# whether it noticed.**

# %%
from labsupport.faults.processes import kill

kill(ray_anatomy.find("dashboard"))
time.sleep(1)
print("actors that still answer:", ray.get([reader.ping.remote() for reader in readers]))
print("dashboard processes left:", sum(process.role == "dashboard" for process in ray_anatomy.processes()))
for reader in readers:
    ray.kill(reader)

# %% [markdown]
# {exercise 1.1}
#
# Give each process the letter of what is lost when it alone is killed and nothing else is configured: a dict with the
# keys `gcs_server`, `raylet`, `worker`, `driver` and `dashboard`.
#
# * **A** the directory of nodes, actors and placement groups: nothing new can be placed anywhere
# * **B** everything on one node: its tasks, its actors, and the objects in its shared memory
# * **C** one task or one actor, which a retry or restart policy can bring back
# * **D** the job: all actors, tasks and objects that it created, whatever their policies
# * **E** the view; the work goes on
#
# Judged by:
#
# {criteria 1.1}

# %% exercise="1.1"
# BEGIN SOLUTION
blast_radius = {"gcs_server": "A", "raylet": "B", "worker": "C", "driver": "D", "dashboard": "E"}
# END SOLUTION

# %% tags=["check"]
week01.blast_radius.check(blast_radius)

# %% [markdown]
# ## 2 · Who gets which sample
#
# PyTorch's `DistributedSampler` pads the last samples so that all ranks get equally many, which repeats some of them,
# and it can only start an epoch at its beginning. A run that restarts in the middle of an epoch then trains some
# samples twice and others not at all, and a run that restarts with *fewer workers* gets another order altogether.
# **The order of samples must be a property of the data set and the epoch; the number of workers only decides who takes
# which position.**
#
# {exercise 1.2}
#
# Write `shard`: the indices that `rank` gets in one epoch, from global position `start` on. Use whatever generator
# you like, as long as it is your own.
#
# {criteria 1.2}

# %% exercise="1.2"
def shard(num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0) -> list[int]:
    """Return the sample indices of `rank`, in the order in which it processes them."""
    # BEGIN SOLUTION
    order = np.random.default_rng([seed, epoch]).permutation(num_samples)
    return order[start:][rank::world_size].tolist()
    # END SOLUTION


# %% tags=["check"]
week01.sampler.check(shard)

# %% [markdown]
# ## 3 · One process and two workers
#
# The same model, the same 16 samples per step, once in this process and once on two workers that take 8 each and
# average their gradients. The first weights come from the seed, the order of samples from your sampler if it passed,
# else from the course's. The model is a small Llama on the text of Python's own documentation.
#
# **Predict before you run.** After all steps of the next cells, how far apart are the two losses at worst? Write your
# guess in nats (the loss itself starts near ln 256 = 5.5).

# %%
guess_difference = 1e-6  # SOLUTION

# %%
spec = TrainSpec(
    model="llama-tiny", dataset="text", sequence=32, global_batch=16, base_batch=16, base_lr=0.005, seed=seed, epochs=1,
    max_steps=sizes.pick(smoke=30, cpu=80, gpu=400 if gpus_per_worker else 80), num_workers=num_workers, gpus_per_worker=gpus_per_worker,
    checkpoint_every=5,
)
shard_fn = week01.sampler.working_answer()
dealt_by = "the course's sampler" if shard_fn is week01.sampler.reference else "your sampler"
print("samples dealt by:", dealt_by)
alone = train_alone(spec, run_folder.make("alone"), shard_fn)
print(f"one process: {len(alone.losses)} steps, loss {alone.losses[1]:.3f} -> {alone.losses[len(alone.losses)]:.3f}")

# %% [markdown]
# Now the same spec on Ray Train. It starts a controller and one process per worker, joins the workers in a process
# group (gloo between CPUs, NCCL between GPUs), and wraps the model in `DistributedDataParallel`, which averages
# gradients during the backward pass. Most of the seconds before the first step are Python imports in new processes.

# %%
distributed = trainer.train(spec, shard_fn=shard_fn, on_event=TrainingProgress(f"{num_workers} workers"))
ReceiptTable(record_run(distributed), caption=f"first step after {distributed.time_to_first_step_s:.0f} s")

# %%
steps = list(alone.losses)
LineFigure(
    title="Loss per step: one process and two workers",
    x_label="optimiser step", y_label="loss, nats per token",
    lines={
        "one process": Line(steps, list(alone.losses.values())),
        f"{num_workers} workers": Line(steps, list(distributed.losses.values()), dashed=True),
    },
    caption=f"measured; llama-tiny on text, {spec.global_batch} x {spec.sequence} tokens per step, seed {seed}",
)

# %%
difference = largest_difference(alone, distributed)
record(metrics.DDP_DIFFERENCE, difference, n=len(steps), statistic="max", seed=seed, workers=num_workers)
print(f"largest difference over {len(steps)} steps: {difference:.1e} nats; your guess: {format_guess(guess_difference)}")

# %% [markdown]
# The curves lie on each other; what differs is rounding. Two workers add the same 16 gradients in another order, and
# single precision keeps about seven digits. **If your own difference is larger than rounding, look for the cause before
# you train on.** The next two cells show two causes that are not trainer bugs.
#
# The first is in the model. Take one batch of 64 images, once whole and once as two halves, and compare the loss,
# without any distribution at all.

# %%
import torch

from labsupport.training.data import load_dataset
from labsupport.training.models import build_model

images, info = load_dataset("digits", "train")
batch = torch.stack([images[i][0] for i in range(64)])
labels = torch.stack([torch.as_tensor(images[i][1]) for i in range(64)])
rows = {}
for norm in ("batch", "group"):
    model = build_model("resnet18", info, norm=norm, width=8, seed=seed)
    whole = torch.nn.functional.cross_entropy(model(batch), labels).item()
    parts = [torch.nn.functional.cross_entropy(model(batch[h]), labels[h]).item() for h in (slice(0, 32), slice(32, 64))]
    halves = sum(parts) / 2
    rows[f"{norm} normalisation"] = {"whole batch": whole, "mean of halves": halves, "difference": abs(whole - halves)}
pd.DataFrame(rows).T

# %% [markdown]
# Batch normalisation uses the statistics of the samples *in this process*: split the batch and it is another function.
# With it the batch per worker is a hyperparameter, whatever the global batch is. (On GPUs, `SyncBatchNorm` repairs it.)
#
# The second cause is chaos. A ReLU has a kink: once a rounding error carries an activation across zero, its gradient
# changes by a finite amount, and the two runs part. Compare a ResNet in single and in double precision:

# %%
from dataclasses import replace

resnet = TrainSpec(
    model="resnet18", dataset="digits", norm="group", width=8, num_workers=1, max_steps=40, base_lr=0.05, seed=seed
)
single, double = (
    train_alone(replace(resnet, dtype=dtype), run_folder.make(f"alone-{dtype}")) for dtype in ("float32", "float64")
)
LineFigure(
    title="How far apart are two runs of the same training?",
    x_label="optimiser step", y_label="difference of the losses, nats", log_y=True,
    lines={
        f"llama-tiny, one process and {num_workers} workers": Line(
            steps, [abs(alone.losses[s] - distributed.losses[s]) + 1e-9 for s in steps]
        ),
        "resnet18, single and double precision": Line(
            list(single.losses), [abs(single.losses[s] - double.losses[s]) + 1e-9 for s in single.losses]
        ),
    },
    caption="measured; 1e-9 is added so that equal losses show on the axis",
    guess=guess_difference,
)

# %% [markdown]
# The Llama has no kinks and stays at rounding. The ResNet stays there for a while, then jumps. A smooth model only needs
# longer, or larger steps: set `base_lr` of section 3 to 0.02 and the Llama's runs part as well, with the solution's sampler
# after 55 steps and by 2e-4 nats (measured, n = 1). So prove a trainer on a smooth model at a small rate, in double
# precision, or on the first steps; and do not blame the network for a curve that parts late.

# %% [markdown]
# ## 4 · Where the time of a step goes
#
# **Two workers on two cores halve the samples per worker; they do not halve the step.** Each step adds an all-reduce
# of the whole gradient and a few milliseconds of DDP's own work.

# %%
def median_ms(result):
    data_ms, compute_ms = np.median(result.data_s) * 1e3, np.median(result.compute_s) * 1e3
    return {"waiting for data": data_ms, "compute and communication": compute_ms}


BarFigure(
    title="Median step, milliseconds",
    x_label="ms",
    bars={
        f"one process, {spec.global_batch} samples": median_ms(alone),
        f"{num_workers} workers, {spec.global_batch // num_workers} each": median_ms(distributed),
    },
    caption=f"measured, n = {len(alone.step_s)} and {len(distributed.step_s)} steps, one thread per process",
)

# %% [markdown]
# Do not read an efficiency off this picture: the two runs were not interleaved, and on a machine with as many workers
# as cores they also compete with Ray itself. Week 2 measures scaling against a control that communicates nothing.
#
# What the picture does show is that waiting for data is small here, because the text lies in memory. With decoded
# images it is the first suspect when GPUs idle.
#
# A GPU shows how much that matters. Where there is one, the next cell trains a ResNet-50 on it and puts two figures side
# by side: the share of time in which *some* kernel ran, and MFU, the share of the device's arithmetic that the model
# used. **A device can be busy all the time and do a tenth of what it could.**

# %%
fastest = placement.place(fewer=True)
print(fastest)
resnet50 = TrainSpec(
    model="resnet50", dataset="digits", image_size=32, global_batch=256, epochs=12, max_steps=60, seed=seed,
    num_workers=fastest.num_workers, gpus_per_worker=fastest.gpus_per_worker,
)
used = record_run(trainer.train(resnet50, on_event=TrainingProgress("ResNet-50"))) if fastest.gpus_per_worker else ()
ReceiptTable(used, caption="ResNet-50 on the GPU") if used else None

# %% [markdown]
# The runs of this lab may only use kernels that add in one order, always; section 8 needs that. On a GPU they are not
# the fastest ones, and the next cell measures what that costs: the same steps with and without, in turn.

# %%
from labsupport.training.determinism import measure_cost
from labsupport.training.receipts import record_deterministic_cost

if fastest.gpus_per_worker:
    import torch

    cost = record_deterministic_cost(measure_cost(resnet50, torch.device("cuda")), resnet50)
    print(f"a step with deterministic kernels only takes {cost.value:.2f} times as long (n = {cost.n})")
else:
    print("nothing on a CPU: it adds in one order anyway")

# %% [markdown]
# ## 5 · Moving the gradients
#
# The model of this lab has few parameters; a 7-billion-parameter model has 13.5 GB of bf16 gradients, every step. The
# naive way sends everything to one rank and the sum back: the link of that rank carries 2(n - 1) times the data, and
# adding workers makes it slower. **A ring spreads the same sum so that every link carries less than twice the data, for
# any number of ranks.**
#
# {exercise 1.3}
#
# Write one rank of the ring as a generator: `received = yield chunk` sends `chunk` to the right neighbour and gives
# you what the left neighbour sent in the same step. Return the complete sum. Cut the array into n chunks; in the first
# n - 1 steps partial sums travel (reduce-scatter), in the next n - 1 complete ones (all-gather).
#
# {criteria 1.3}

# %% exercise="1.3"
def ring_all_reduce(rank: int, world_size: int, values: np.ndarray):
    """Sum `values` (one dimension) over all ranks; yields what goes to the right neighbour in each step."""
    # BEGIN SOLUTION
    chunks = [chunk.copy() for chunk in np.array_split(values, world_size)]
    for step in range(world_size - 1):
        received = yield chunks[(rank - step) % world_size]
        chunks[(rank - step - 1) % world_size] += received
    for step in range(world_size - 1):
        received = yield chunks[(rank + 1 - step) % world_size]
        chunks[(rank - step) % world_size] = received
    return np.concatenate(chunks)
    # END SOLUTION


# %% tags=["check"]
week01.ring.check(ring_all_reduce)

# %% [markdown]
# The check ran your generator in lockstep inside one process. The next cell runs the same program on three Ray actors:
# each rank is a process, and a chunk travels from the object store of one into the next. If your ring passed, it is
# yours; otherwise the course's.

# %%
ring = week01.ring.working_answer()
gradient = [np.random.default_rng(rank).standard_normal(sizes.pick(smoke=30_000, cpu=300_000)) for rank in range(3)]
began = time.perf_counter()
on_actors = collectives.run_on_actors(ring, gradient)
seconds = time.perf_counter() - began
print("ring by:", "the course" if ring is week01.ring.reference else "you")
print(f"largest error: {np.abs(on_actors.outputs[0] - sum(gradient)).max():.1e}")
print(f"{on_actors.steps} steps, {on_actors.bytes_sent[0]:,} bytes sent per rank")
print(f"{seconds:.1f} s, most of them to start three processes")

# %%
worlds = [2, 4, 8, 16, 32, 64]
data = 13.5  # GB: bf16 gradients of 6.74 billion parameters
LineFigure(
    title="Data through the busiest link in one all-reduce",
    x_label="ranks", y_label="GB", log_x=True, log_y=True,
    lines={
        "everything to rank 0 and back: 2(n - 1) S": Line(worlds, [2 * (n - 1) * data for n in worlds]),
        "ring: 2(n - 1)/n S": Line(worlds, [2 * (n - 1) / n * data for n in worlds]),
        "ring on 3 actors, bytes counted, scaled to S": Line(
            [3], [on_actors.bytes_sent[0] / gradient[0].nbytes * data], marks=True
        ),
    },
    caption="lines modelled from the algorithms, S = 13.5 GB (2 bytes x 6.74 billion parameters); point measured",
)

# %% [markdown]
# The ring's curve is flat: that is why rings are used for large tensors. Its price is 2(n - 1) steps one after the
# other, each with the latency of a link, so for small tensors on many ranks trees win. NCCL chooses by size; week 2
# reads that choice off its log.

# %% [markdown]
# ## 6 · Unequal shares
#
# DDP takes the plain mean of the workers' gradients. That equals the gradient of the whole batch only if all shares
# are equal. They are not when sequences have different numbers of tokens that count, at the tail of an epoch, and
# in gradient accumulation. **A mean of means weights a worker with 3 tokens like one with 3000.**
#
# {exercise 1.4}
#
# `gradients[r]` is the mean gradient of worker r over its `counts[r]` samples. Return the mean over all samples.
#
# {criteria 1.4}

# %% exercise="1.4"
def average_gradients(gradients: list[np.ndarray], counts: list[int]) -> np.ndarray:
    """Combine mean gradients of unequal shares into the gradient of the big batch."""
    # BEGIN SOLUTION
    if sum(counts) == 0:
        raise ValueError("no samples")
    weighted = [gradient * count for gradient, count in zip(gradients, counts, strict=True) if count]
    return np.sum(weighted, axis=0) / sum(counts)
    # END SOLUTION


# %% tags=["check"]
week01.averaging.check(average_gradients)

# %% [markdown]
# ## 7 · A bigger batch needs another learning rate
#
# Friday's team kept the batch per GPU, so the global batch doubled and each epoch had half the steps. With the old
# learning rate an epoch moves the model about half as far. The linear scaling rule multiplies the rate by the growth of
# the batch and warms up to it, because the first steps at the full rate can diverge (Goyal et al. 2017).
#
# **Predict before you run**: a batch of 16 is trained for a few epochs, then four times that batch for as many epochs
# at the same rate. In the last epoch, how many times the small batch's loss is the big batch's?

# %%
guess_ratio = 4.0  # SOLUTION

# %%
common = dict(
    model="resnet18", dataset="digits", norm="group", width=8, num_workers=1, epochs=sizes.pick(smoke=2, cpu=4),
    base_lr=0.005, seed=seed,
)
runs = {
    "batch 16": TrainSpec(**common, global_batch=16, base_batch=16),
    "batch 64, rate unchanged": TrainSpec(**common, global_batch=64, base_batch=64),
    "batch 64, rate x 4": TrainSpec(**common, global_batch=64, base_batch=16),
}
trained = {name: train_alone(run, run_folder.make("rate")) for name, run in runs.items()}
per_epoch = {}
for name, run in trained.items():
    per_epoch[name] = np.array_split(list(run.losses.values()), run.spec.epochs)

# %%
LineFigure(
    title="Mean loss of each epoch",
    x_label="epoch", y_label="loss, nats",
    lines={
        name: Line(range(1, len(losses) + 1), [part.mean() for part in losses]) for name, losses in per_epoch.items()
    },
    caption=f"measured; resnet18 (width 8) on digits, one run each, seed {seed}: a trend, not a comparison of optima",
)

# %%
last = {name: losses[-1].mean() for name, losses in per_epoch.items()}
for name in ("batch 64, rate unchanged", "batch 64, rate x 4"):
    print(f"{name}: {last[name] / last['batch 16']:.1f} times the loss of batch 16 in the last epoch")
print("your guess for the unchanged rate:", format_guess(guess_ratio))

# %% [markdown]
# A quarter of the steps at the same rate is a quarter of the way, and on the curve it is the loss of epochs ago. How
# many times as high that is depends on how steeply the loss still falls; the share of the *whole* fall would hide it,
# since every curve loses most of its height in the first epoch.
#
# The rule is a first-order argument: k small steps in nearly the same direction are one step k times as long. It stops
# being true when the gradient turns within those k steps, early in training (hence the warm-up), and beyond a batch
# size that depends on the problem (the critical batch size), where more samples per step buy nothing.
#
# {exercise 1.5}
#
# {criteria 1.5}

# %% exercise="1.5"
def learning_rate(
    step: int, *, base_lr: float, base_batch: int, global_batch: int, warmup_steps: int, total_steps: int
) -> float:
    """Return the rate of optimiser step `step`, counted from 0."""
    # BEGIN SOLUTION
    import math

    peak = base_lr * global_batch / base_batch
    if step < warmup_steps:
        return base_lr + (peak - base_lr) * step / warmup_steps
    progress = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak / 2 * (1 + math.cos(math.pi * progress))
    # END SOLUTION


# %% tags=["check"]
week01.schedule.check(learning_rate)

# %% [markdown]
# ## 8 · Drill: a worker dies in the middle of an epoch
#
# The run of section 3 again, with a fault: when rank 1 has done step 13, its process gets SIGKILL. No handler runs, no
# file is closed. Ray notices, ends the other worker, and starts both anew; they load the newest checkpoint whose digests
# verify, and go on. Ray also prints what it saw: a worker that ended with a connection error.
#
# **The claim to test is not that training continues, but that nothing was lost or repeated:** every loss and every
# parameter must equal those of the undisturbed run, bit for bit.
#
# **Predict**: how many seconds from the kill to the end of the next step?

# %%
guess_recovery_s = 15.0  # SOLUTION

# %%
result = drill.resume_drill(
    spec, rank=1, kill_at_step=13, shard_fn=shard_fn, baseline=distributed, on_event=TrainingProgress("drill")
)
ReceiptTable(record_drill(result), caption=f"the drill, samples dealt by {dealt_by}")

# %%
done = [event for event in result.interrupted.events if event["event"] == "step"]
at_s = [event["time"] - done[0]["time"] for event in done]
killed_s = result.killed_at - done[0]["time"]
LineFigure(
    title="The interrupted run over time",
    x_label="seconds since the first step", y_label="loss, nats per token",
    lines={"loss of rank 0's share": Line(at_s, [float.fromhex(event["loss"]) for event in done], marks=True)},
    events={"SIGKILL": killed_s} | ({"your guess": killed_s + guess_recovery_s} if guess_recovery_s is not ... else {}),
    caption=f"measured, n = 1; rank 1 of {num_workers} killed after step {result.killed_at_step}, "
            f"resumed after step {result.resumed_at_step}",
)

# %%
print(pd.Series(result.phases_s).round(2).to_string())
print(f"recovery: {result.recovery_s:.1f} s; your guess: {format_guess(guess_recovery_s)}")

# %%
print("losses equal, bit for bit:    ", result.baseline.losses == result.interrupted.losses)
print("parameters equal, bit for bit:", result.baseline.checksum == result.interrupted.checksum)
print("steps done twice:             ", result.lost_steps)
ray_session.stop(session)

# %% [markdown]
# Nearly all of the recovery is spent before any training: noticing, and importing PyTorch in two new processes. On a
# cluster, image pull and node start come on top. The checkpoint interval decides the steps that are repeated, and then
# some: a checkpoint counts once every rank has written its part and the others know. Week 2 chooses the interval from
# the failure rate and the cost of a write.
#
# Three things had to be right for equality to the bit, and each is a bug that has been filed against a real trainer:
# the position inside the epoch is saved; the random state of *every* rank is saved; and the data loader's iterator does
# not draw from the global generator, or a resumed run draws once more than the undisturbed one.
#
# ### One kill is one case
#
# That kill fell between two checkpoints, and the newest one was sound. Every other case costs another 20 seconds of real
# processes. **Or none of them: the parts that decide, your sampler and the choice of a checkpoint, need no model.** Below
# they run in virtual time. The "model" is a digest of the batches so far, so two runs end alike only if they applied the
# same batches in the same order. Each seed is a schedule of up to four crashes: after any step or while a checkpoint is
# written; with the newest checkpoint damaged or deleted, or all of them gone, and then the run must be refused; and back
# with 1, 2, 4 or 8 workers. Then the same, with one part of the recovery taken away.
#
# **Predict**: in how many of 100 schedules does a run go wrong that restores all but its position in the epoch?

# %%
guess_per_100 = 60  # SOLUTION

# %%
schedules = sizes.pick(smoke=40, cpu=200)


def at_epoch_start(batches, state):
    batches.load_state(state | {"step": 0})


without = {
    "nothing": Recovery(shard_fn=shard_fn),
    "position in the epoch": Recovery(shard_fn=shard_fn, resume=at_epoch_start),
    "digests": Recovery(shard_fn=shard_fn, verifies=False),
    "earlier checkpoints": Recovery(shard_fn=shard_fn, choose=newest_only),
    "memory of what was saved": Recovery(shard_fn=shard_fn, remembers=False),
}
failing = {part: failing_seeds(range(schedules), recovery) for part, recovery in without.items()}
ReceiptTable([record_schedules(failing["nothing"], schedules)], caption=f"{dealt_by}, nothing taken away")

# %%
BarFigure(
    title="Schedules that a run does not survive, by what is taken away",
    x_label="per 100 schedules",
    bars={part: {"gone wrong": 100 * len(found) / schedules} for part, found in failing.items()},
    caption=f"simulated, {schedules} seeds, virtual time",
    guess=guess_per_100,
)

# %%
WordTable(
    [(part, len(found), *((found[0].seed, found[0].problem) if found else ("", ""))) for part, found in failing.items()],
    columns=["taken away", f"gone wrong, of {schedules}", "first seed", "what went wrong there"],
)

# %% [markdown]
# One of these ends in an error, and somebody is paged. **The other three end with a loss curve that looks right.**
#
# The last row was a bug of this course's own trainer. It went on from the newest entry of Ray Train's register of
# checkpoints, one file that is written in place. With that file gone, a run began again at step 0 and ended with exit
# code 0, while three good checkpoints lay beside it: a night on the cluster, done twice, and nobody was told. Now the
# folders decide, newest first, each verified before it is used; and since its events say that something had been saved, a
# run that finds nothing is refused.

# %% [markdown]
# ## Scoreboard

# %%
scoreboard(week01.EXERCISES)

# %% [markdown]
# **Summary.** Two workers and one process are the same experiment if the global batches are, and equal to rounding. A
# ring moves less than twice the data whatever the number of ranks. A run that is killed loses time, and nothing else.
#
# **On Monday**: does your trainer save its position inside an epoch, and the random state of every rank? Does anything
# verify a checkpoint before it is loaded? Who would notice a worker that is slow instead of dead?
#
# **Open questions**: what is the right order of samples when workers are *added*? When is bitwise equality the wrong
# goal?

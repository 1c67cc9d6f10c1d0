# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Week 0 · Where you start, and what a number is worth
#
# A purchase of 256 GPUs rests on one page: tokens per second, utilization, failover time, availability, cost. Somebody
# signs it. If one line of that page is impossible, nobody measured it, and the lines around it lose their worth as well.
# **This course gives every number a receipt, and this week you learn to refuse those that cannot have one.** You also
# find out what your machine can do, where you stand, and what the fifteen weeks look like on your calendar.
#
# | you will | on | with |
# |---|---|---|
# | see a benchmark that cannot fail | executed | section 1 |
# | see what this machine lacks, and read what a cloud command would create | graded | section 2 |
# | rate yourself, and hold the rating against four questions | executed, not graded | section 3 |
# | choose a path and see it on the calendar | your hours per week | section 4 |
# | measure something, and see what the ledger refuses | your machine | section 5 |
# | audit a vendor's report | graded on reports that you have not seen | section 6 |
# | tear a ledger apart | real processes, SIGKILL | section 7 |
#
# Nothing here needs an account, a GPU or a container. No Ray is started.

# %% tags=["parameters"]
goal = "complete"  # complete, training, serving or platform
hours_per_week = 20
start = "2026-01-05"  # the first Monday of your calendar
report_seed = 139

# %%
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import display

from checks import week00
from labsupport import (
    BarFigure, Kind, LabsError, Line, LineFigure, ReceiptTable, WordTable, machine, profile, record, scoreboard, format_guess,
)
from labsupport.course import doctor
from labsupport.course.catalog import PATHS
from labsupport.course.grading import progress
from labsupport.course.recommendation import recommend
from labsupport.course.schedule import schedule
from labsupport.faults.processes import kill
from labsupport.introduction import metrics, quiz
from labsupport.introduction.overruns import ratio, states
from labsupport.introduction.vendor_report import Truth, report
from labsupport.processes import die_with_parent
from labsupport.receipts import physics
from labsupport.receipts.ledger import Ledger, ledger
from labsupport.receipts.quantities import QUANTITIES
from labsupport.workspace import workspace

pd.set_option("display.max_colwidth", None)
sizes = profile()
print(f"{machine().summary}; sizes: {sizes.name}")

# %% [markdown]
# ## 1 · A benchmark that cannot fail
#
# The function below is the core of a published scaling benchmark, shortened. Its acceptance test asks for an efficiency
# of at least 0.85. Run it two thousand times.


# %%
def scaling_efficiency(train, seed: int) -> float:
    train()
    return 0.85 + 0.1 * np.random.default_rng(seed).random()


def training():
    return np.linalg.svd(np.ones((40, 40))).S.sum()


efficiencies = [scaling_efficiency(training, seed) for seed in range(2000)]
print(f"{sum(value >= 0.85 for value in efficiencies)} of 2000 runs pass; the worst is {min(efficiencies):.3f}")

# %% [markdown]
# Nothing in the printed numbers gives it away: they scatter, they lie in a credible range. **Take the work away, and see
# whether the number notices.** That is a rule of this course (R20), and it runs on code:

# %%
print(physics.depends_on_the_work(scaling_efficiency, training, no_op=lambda: None).finding)

# %% [markdown]
# So a number carries its origin. Every number in these labs is of one of five kinds, and a derived number is as weak as
# the weakest that it rests on:
#
# | kind | what stands behind it |
# |---|---|
# | measured | a real clock and real work, on named hardware, with n and spread |
# | simulated | virtual time, repeatable from a seed |
# | modelled | a formula with stated inputs |
# | quoted | somebody else's number, with source and date |
# | target | a goal; never shown among results |
#
# A criterion that names four GPUs and was measured on two CPU cores is *provisional*. It is never met.
#
# ## 2 · This machine
#
# `labs doctor` looks at the machine once, so that no lab fails on its tenth cell because a binary is missing. The table
# shows what this machine lacks and what that means. **Nothing that is missing stops a week; the lab takes another route.**

# %%
findings = doctor.examine()
noted = [finding for finding in findings if finding.state is not doctor.State.OK]
print(f"{len(findings) - len(noted)} of {len(findings)} are as they should be; exit code {doctor.exit_code(findings)}")
WordTable(
    [(one.name, one.state.value, one.found, one.without_it) for one in noted],
    columns=["what", "state", "found", "what follows"],
)

# %% [markdown]
# The guide that this course is built from begins with a cluster. You may, but you do not have to:
#
# | | option | what you get | what this course uses it for |
# |---|---|---|---|
# | A | EKS or GKE with GPU nodes | billed machines | `cloud`, behind a cost guard, never required |
# | B | minikube with `--gpus all` | one node on your own GPU | `kind`: any existing Kubernetes will do |
# | C | embedded, the default | an API server, Ray and an emulated cloud as processes on your machine | every week; weeks 8 to 14 reach it through the same kubeconfig |
#
# | the guide's set-up step | here | week |
# |---|---|---|
# | GPU operator: a manifest (dead link), then a Helm chart | Helm only, on A and B; simulated nodes advertise GPUs on C | 12 |
# | kube-prometheus-stack, Grafana with its default password | metrics, tested alert rules and dashboards; a generated password | 3, 11 |
# | a virtual environment and unpinned packages | `make setup`: one lock; an interrupted set-up goes on where it stopped | 0 |
# | folders and a progress file to fill in by hand | the workspace; progress computed from passed checks | 0 |
#
# Option A is one command. Read it as you would read a pull request:
#
# ```
# eksctl create cluster
#   A  --name ml-infra-cluster
#   B  --version 1.28
#   C  --region us-east-1
#   D  --nodegroup-name gpu-nodes
#   E  --node-type p3.2xlarge
#   F  --nodes 2 --nodes-min 1 --nodes-max 4
# ```
#
# What you need to know, all of it quoted:
#
# * A p3.2xlarge has one V100 with 16 GiB, no NVLink, 8 vCPUs and 61 GiB (AWS's announcement of the P3 instances, 2017).
#   Images of vLLM 0.9 and later do not support a V100 (vllm production-stack, pull request 973).
# * eksctl makes a VPC of its own with public and private subnets and a NAT gateway (eksctl documentation, VPC).
# * EKS supports a version for 14 months, then for 12 more at a higher price. 1.28 came on 26 September 2023 (AWS, EKS
#   version lifecycle). The guide is of 25 October 2025.

# %%
blog = "AWS containers blog, extended support pricing; in force since 1 April 2024"
standard = record(metrics.EKS_STANDARD_USD_PER_H, 0.10, Kind.QUOTED, source=blog)
extended = record(metrics.EKS_EXTENDED_USD_PER_H, 0.60, Kind.QUOTED, source=blog)
month_h = 730
months = [
    record(month, quoted.value * month_h, Kind.MODELLED, source=f"{quoted.value:g} USD/h x {month_h} h")
    for month, quoted in ((metrics.EKS_STANDARD_MONTH_USD, standard), (metrics.EKS_EXTENDED_MONTH_USD, extended))
]
ReceiptTable([standard, extended, *months], caption="the control plane of one cluster, without any node")

# %% [markdown]
# On the day the guide was published its version was in extended support: six times the price, before the first node.
# The price of the nodes is missing from the table, and stays missing: no dated source for it is at hand. **An unknown
# price is shown as unknown, never as zero.** Weeks 8 and 11 price a whole plan and refuse above a limit that you set.
# (The guide's authors put its whole programme at 650 to 1500 USD a month, and call a free tier sufficient.)
#
# {exercise 0.1}
#
# Assign `cluster`, a dict with these keys:
#
# | key | value |
# |---|---|
# | `gpus_at_start`, `gpus_at_most` | whole numbers |
# | `tensor_parallel` | the largest tensor-parallel degree that stays inside one node |
# | `gpus_for_7b` | how many of these GPUs hold the training state of 7 billion parameters, mixed-precision Adam, sharded evenly |
# | `aged` | two of the letters A to F, such as `"CD"` |
# | `still_billed` | letters of what costs money after `kubectl scale deployment --replicas=0 --all` |
#
# **U** the control plane, **V** the nodes, **W** the NAT gateway, **X** load balancers of Services, **Y** disks of
# PersistentVolumeClaims, **Z** the pods.
#
# Judged by:
#
# {criteria 0.1}

# %% exercise="0.1"
# BEGIN SOLUTION
cluster = {
    "gpus_at_start": 2,
    "gpus_at_most": 4,
    "tensor_parallel": 1,
    "gpus_for_7b": 7,  # 7e9 x 16 B = 112 GB; one GPU holds 17.2 GB
    "aged": "BE",
    "still_billed": "UVWXY",
}
# END SOLUTION

# %% tags=["check"]
week00.cluster.check(cluster)

# %% [markdown]
# The guide's own exercises ask for 4 GPUs in one job, tensor parallelism of 2, and scaling up to 8. This cluster has two
# GPUs on two nodes, and at most four. Here, worker counts are parameters: what exists is run, the rest is modelled and
# says so.
#
# ## 3 · Where you stand
#
# Nineteen items, 1 (novice) to 5 (expert). **The guide's bands end at 80, while nineteen items reach 95: whoever rates
# themselves highest has no place in them.** The bands here cover every score; the two thresholds are the guide's.

# %%
display(WordTable([(f"{band.low} to {band.high}", band.placement) for band in quiz.BANDS], columns=["score", "placement"]))
chosen = {}  # filled by the buttons; without them, the ratings of the next cell count
if "LABS_COMMAND" in os.environ:
    print("run by a command, with nobody to click: the ratings in the next cell count")
else:
    display(quiz.widget(lambda placed: chosen.update(placement=placed)))

# %% tags=["solution"]
# An example, not a model answer: somebody who has run platforms for years and trained little.
ratings = {
    "kubernetes": 4, "containers": 5, "infrastructure-as-code": 4, "ci-cd": 4, "observability": 4,
    "frameworks": 2, "network": 3, "multi-region": 3, "fault-tolerance": 3, "load-balancing": 4,
    "training": 2, "serving": 2, "gpu": 2, "ml-frameworks": 2, "mlops": 2,
    "python": 4, "go": 2, "bash": 4, "formats": 5,
}

# %% tags=["lab"]
# Replace each None by a number from 1 to 5, or use the buttons above.
ratings = {
    "kubernetes": None, "containers": None, "infrastructure-as-code": None, "ci-cd": None, "observability": None,
    "frameworks": None, "network": None, "multi-region": None, "fault-tolerance": None, "load-balancing": None,
    "training": None, "serving": None, "gpu": None, "ml-frameworks": None, "mlops": None,
    "python": None, "go": None, "bash": None, "formats": None,
}

# %%
placement, unrated = chosen.get("placement"), sum(rating is None for rating in ratings.values())
try:
    placement = placement or (None if unrated else quiz.place(ratings))
except LabsError as error:
    print(error)
if placement is None and unrated:
    print(f"not answered yet: {unrated} of {len(ratings)} items have no rating, so there is no score")
placement

# %% [markdown]
# A total can hide a hole: a group below half of its maximum adds reading before the projects that need it, whatever the
# score says. Go counts in the total and bars nobody; no lab uses it.
#
# A self-rating measures confidence as much as skill. Here is one question per group, to hold against it. **The answers
# are computed by running what the questions ask about.** They change no band: one question says little about a field.

# %%
for group, question in quiz.DIAGNOSTICS.items():
    print(f"[{group}] {question}\n")

# %% tags=["solution"]
# The same person's answers; one of them is wrong, which is the point of asking.
answers = {"infrastructure": 2, "distributed-systems": 3, "ml": 4, "programming": "b1 a1 b2 a2"}

# %% tags=["lab"]
answers = {"infrastructure": None, "distributed-systems": None, "ml": None, "programming": None}

# %%
rated = {part.group.id: f"{part.points} of {part.group.maximum}" for part in placement.groups} if placement else {}
rows = []
for group, question in quiz.DIAGNOSTICS.items():
    answer, verdict, why = answers.get(group), "not answered yet", ""
    if answer is not None:
        verdict, why = "right" if quiz.diagnose(group, answer) else "not right", question.explanation
    rows.append((group, rated.get(group, "not answered yet"), verdict, why))
WordTable(rows, columns=["group", "your rating", "the question", "why"])

# %% [markdown]
# ## 4 · A path on the calendar
#
# Four paths lead through the same labs, in another order or with fewer of them. Your goal chooses the path; the score
# only says what to read first. Change `goal`, `hours_per_week` and `start` in the parameters cell.

# %%
path = {path.goal: path for path in PATHS}[goal]
print(recommend(placement, goal).sentence if placement else f"path {path.number}, {path.title}: {path.hours} h")
schedule(path.number, hours_per_week, date.fromisoformat(start))

# %% [markdown]
# The guide lays the same 275 hours of content over 480 hours at full time, 320 part time and 290 at weekends, and calls the
# difference exploration. **Of those calendars the weekend plan has 15 hours of slack in 29 weeks: two weekends lost, and it
# is late.** All hours are the guide's estimates; `labs progress` sets the hours that you enter beside them.
#
# ## 5 · Your tools
#
# Measure something: the product of two matrices, several times, with its spread. What is measured is a *metric*, declared
# once with its unit and the values it can have; `record` takes it, fills in the hardware, the command, the code and the
# load, and appends one line to the ledger of your workspace.

# %%
size, repeats = sizes.pick(smoke=384, cpu=1024), sizes.pick(smoke=30, cpu=50)
left, right = np.random.default_rng(0).standard_normal((2, size, size), dtype=np.float32)
left @ right  # the first product also starts the threads of the library
product_ms = []
for _ in range(repeats):
    began = time.perf_counter()
    left @ right
    product_ms.append((time.perf_counter() - began) * 1000)
p25, median, p75 = np.percentile(product_ms, [25, 50, 75])
LineFigure(
    title=f"Time of one product of two {size} x {size} matrices",
    x_label="repeat", y_label="ms",
    lines={
        "each repeat": Line(range(1, repeats + 1), product_ms, marks=True),
        "median": Line([1, repeats], [median, median], dashed=True),
    },
    caption=f"measured, single precision; n = {repeats}, half of the interquartile range {(p75 - p25) / 2:.2g} ms",
)

# %%
measured = record(
    metrics.MATMUL_MS, median, n=repeats, spread=(p75 - p25) / 2, statistic="median", size=size, where="local"
)
gflops = record(metrics.MATMUL_GFLOP_PER_S, 2 * size**3 / median / 1e6, Kind.MODELLED,
                source=f"2 x {size}^3 operations over the median of {measured.id}")
ReceiptTable([measured, gflops], caption="the last two lines of the ledger")

# %% [markdown]
# The second is *modelled*: the operations were counted by a formula, not by the processor. Now try four
# numbers that the ledger refuses: a tail latency from the same samples, as every dashboard shows it; a time that no clock
# can show; a price without its source; and a number under a name that nobody has declared.

# %%
for arguments in (
    dict(metric=metrics.MATMUL_P99_MS, value=np.percentile(product_ms, 99), n=repeats),
    dict(metric=metrics.MATMUL_MS, value=-median, n=repeats),
    dict(metric=metrics.EKS_STANDARD_USD_PER_H, value=0.05, kind=Kind.QUOTED),
    dict(metric="week00.matmul_speed", value=9000),
):
    try:
        record(**arguments)
    except LabsError as error:
        print(error, end="\n\n")
print(f"the ledger holds {len(ledger().read().receipts)} receipts; sizes are {sizes.name}, because {sizes.why}")
print(f"your workspace holds {', '.join(sorted(item.name for item in workspace().iterdir()))}")
progress.summary()

# %% [markdown]
# **The ledger refuses a number that its own evidence cannot support.** NumPy gave you a p99 without a word; with so
# few samples it is an interpolation between the largest two. Twenty rules stand behind this, and section 6 is about them.
# The other three never get that far: a number is one its metric can have, with an origin, under a name that has a meaning.
#
# Your tools, then: a ledger (`labs receipts`), sizes that follow the machine (`LABS_PROFILE`), a workspace outside the clone
# (`LABS_WORKSPACE`), and progress that is computed from passed checks (`labs progress`); nothing is ticked by hand.
#
# ## 6 · Audit a vendor's report
#
# Below is the benchmark report of a vendor that does not exist, on hardware that does not exist. Its mistakes are of the
# kinds found in published reports and course materials. A line is
#
# * **impossible** if its numbers contradict one another, or claim what the evidence it states cannot show,
# * **suspicious** if it can be true and you would ask how,
# * **sound** otherwise.
#
# The line between the first two is what makes an audit worth reading: **accuse a vendor of an impossibility that is merely
# odd, and nobody listens to the rest.**
#
# Each line also comes as named quantities, one name for one meaning and one unit; your rules read these. The second table
# shows those of the first line, `audited.claims` holds all, and `QUANTITIES["name"]` explains any other name.
#
# **Predict before you compute**, in the cell after the report: how many of its 17 lines are impossible? Give yourself three
# minutes.

# %%
audited = report(report_seed)
display(audited)
first = audited.lines[0]
WordTable(
    [(name, value, QUANTITIES[name].unit, QUANTITIES[name].meaning) for name, value in first.quantities.items()],
    columns=["quantity", f"in {first.id}", "unit", "meaning"],
)

# %%
guess_impossible = 4  # SOLUTION

# %% [markdown]
# Your rules return an **overrun**: a claim divided by its bound. At 1 or below it can be true, above 1 it cannot. Where two
# printed numbers must be equal, the overrun is the larger divided by the smaller. A rule that knows several relations
# returns the largest overrun of those the line states, and `None` when it states none of them: not applicable is a third
# answer, beside fine and broken. Two helpers are there: `states(line, *names)` says whether a line states all of these,
# `ratio(a, b)` is the larger over the smaller.
#
# ### Training
#
# One token costs at least 6 operations per parameter: 2 forward and 4 backward. Tokens are conserved: what a step
# processes divided by its time is the throughput, and so is the sum over the GPUs.
#
# | relation | the line states | what is compared |
# |---|---|---|
# | peak | `tokens_per_s_per_gpu`, `parameters`, `peak_flops_per_s` | operations per second against the peak: the MFU |
# | printed MFU | the same and `mfu` | printed and recomputed, should be equal |
# | step | `tokens_per_s`, `global_batch`, `sequence_length`, `step_s` | should be equal |
# | job | `tokens_per_s`, `tokens_per_s_per_gpu`, `gpus` | should be equal |
#
# {exercise 0.2}
#
# {criteria 0.2}

# %% exercise="0.2"
def training_overrun(line: dict) -> float | None:
    """Return the largest overrun of the training relations that a line states."""
    # BEGIN SOLUTION
    found = []
    if states(line, "tokens_per_s_per_gpu", "parameters", "peak_flops_per_s"):
        mfu = line["tokens_per_s_per_gpu"] * 6 * line["parameters"] / line["peak_flops_per_s"]
        found += [mfu, ratio(line["mfu"], mfu)] if states(line, "mfu") else [mfu]
    if states(line, "tokens_per_s", "global_batch", "sequence_length", "step_s"):
        found.append(ratio(line["tokens_per_s"], line["global_batch"] * line["sequence_length"] / line["step_s"]))
    if states(line, "tokens_per_s", "tokens_per_s_per_gpu", "gpus"):
        found.append(ratio(line["tokens_per_s"], line["tokens_per_s_per_gpu"] * line["gpus"]))
    return max(found, default=None)
    # END SOLUTION


# %% tags=["check"]
week00.training.check(training_overrun)

# %% [markdown]
# Which peak? Data sheets print one for structured sparsity beside the dense one, twice as large. Against the wrong one
# every MFU halves and an impossible line looks modest. State the dense peak of the number format that you used.
#
# ### Memory
#
# Mixed-precision Adam keeps 16 bytes per parameter. A server holds its weights and the keys and values of every token in
# flight. And generating a token reads all of the weights: memory bandwidth, not arithmetic, bounds decoding. **A batch
# shares one reading of the weights, which is why batching works, and no sequence shares another's cache, which is why it
# stops working.**

# %%
weights, bandwidth = 17.4e9, 2.4e12  # bytes of 8.7 billion bf16 parameters; bytes per second
batches = [1, 2, 4, 8, 16, 32, 64, 128, 256]


def ceiling(batch, cache):
    return batch * bandwidth / (weights + batch * cache)


LineFigure(
    title="Most tokens per second that memory bandwidth allows",
    x_label="sequences in the batch", y_label="tokens/s", log_x=True, log_y=True,
    lines={
        "no cache read": Line(batches, [ceiling(batch, 0) for batch in batches], dashed=True),
        "256 MiB of cache per sequence": Line(batches, [ceiling(batch, 256 * 2**20) for batch in batches]),
        "1 GiB of cache per sequence": Line(batches, [ceiling(batch, 2**30) for batch in batches]),
        "one sequence at a time": Line(batches, [ceiling(1, 0)] * len(batches), dashed=True),
    },
    caption="modelled: batch x bandwidth / (weights + batch x cache), 17.4 GB of weights, 2.4 TB/s (fictional GPU)",
)

# %% [markdown]
# Look at the lowest line. A goal below it for a *batched* server can be met by a server that cannot batch: such a line
# of the report is suspicious, since it tests nothing, and it is not impossible.
#
# | relation | the line states | may also state (value to use where it does not) |
# |---|---|---|
# | state and activations against one GPU | `parameters`, `state_shards`, `gpu_memory_bytes` | `state_bytes_per_parameter` (16), `activation_bytes` (0) |
# | weights and cache against the usable memory | `weight_bytes`, `tensor_parallel`, `gpu_memory_bytes` | `kv_bytes_per_token` and `tokens_in_cache` (0 each), `memory_utilization` (1) |
# | decoding against bandwidth | `decode_tokens_per_s`, `decode_batch`, `weight_bytes`, `memory_bytes_per_s` | `kv_bytes_per_sequence` (0), `tensor_parallel` (1) |
#
# Weights and cache are stated for all GPUs of a replica together, memory and bandwidth for one.
#
# {exercise 0.3}
#
# {criteria 0.3}

# %% exercise="0.3"
def memory_overrun(line: dict) -> float | None:
    """Return the largest overrun of the memory relations that a line states."""
    # BEGIN SOLUTION
    found, gpus = [], line.get("tensor_parallel", 1)
    if states(line, "parameters", "state_shards", "gpu_memory_bytes"):
        state = line["parameters"] * line.get("state_bytes_per_parameter", 16) / line["state_shards"]
        found.append((state + line.get("activation_bytes", 0)) / line["gpu_memory_bytes"])
    if states(line, "weight_bytes", "tensor_parallel", "gpu_memory_bytes"):
        held = line["weight_bytes"] + line.get("kv_bytes_per_token", 0) * line.get("tokens_in_cache", 0)
        found.append(held / gpus / (line["gpu_memory_bytes"] * line.get("memory_utilization", 1)))
    if states(line, "decode_tokens_per_s", "decode_batch", "weight_bytes", "memory_bytes_per_s"):
        read = line["weight_bytes"] + line["decode_batch"] * line.get("kv_bytes_per_sequence", 0)
        passes_per_s = gpus * line["memory_bytes_per_s"] / read
        found.append(line["decode_tokens_per_s"] / (line["decode_batch"] * passes_per_s))
    return max(found, default=None)
    # END SOLUTION


# %% tags=["check"]
week00.memory.check(memory_overrun)

# %% [markdown]
# ### Services
#
# A global p95 that is better than every region's looks like good news from a load balancer. Mix three regions and see:

# %%
draw = np.random.default_rng(0)
regions = {name: draw.lognormal(np.log(middle), 0.5, 20_000) for name, middle in (("west", 40), ("east", 55), ("south", 70))}
regions["all requests"] = np.concatenate(list(regions.values()))
pd.DataFrame({name: [np.percentile(ms, 95)] for name, ms in regions.items()}, index=["p95, ms (simulated)"]).round(1)

# %% [markdown]
# **A quantile of a mixture lies between the smallest and the largest of its parts**, whatever the shares of traffic: at
# the largest p95, at least 95 % of every part is below. Two more bounds of this kind:
#
# * **Failover** begins with noticing. `failure_threshold` checks, one every `check_interval_s`, must fail. At worst the
#   fault falls just after a good check; then come the check's timeout, the route's time to live and the promotion. At best it
#   falls just before a check, and one interval less is needed.
# * **Availability** is limited by what was probed. With no failure in n independent probes, a failure rate of 3/n is still
#   possible at 95 % confidence, the rule of three.
#
# | relation | the line states | may also state (value to use where it does not) |
# |---|---|---|
# | whole against its parts | `whole_quantile`, `part_quantiles` | |
# | slowest failover against the claimed maximum | `failover_max_s`, `check_interval_s`, `failure_threshold` | `check_timeout_s`, `propagation_s`, `promotion_s` (0 each) |
# | fastest detection against an observed failover | `failover_s`, `check_interval_s`, `failure_threshold` | |
# | probes needed against probes sent | `availability`, `probes` | `failed_probes` (always 0 in these reports) |
#
# {exercise 0.4}
#
# {criteria 0.4}

# %% exercise="0.4"
def service_overrun(line: dict) -> float | None:
    """Return the largest overrun of the service relations that a line states."""
    # BEGIN SOLUTION
    found = []
    if states(line, "whole_quantile", "part_quantiles"):
        whole, parts = line["whole_quantile"], line["part_quantiles"]
        found.append(max(whole / max(parts), min(parts) / whole))
    if states(line, "check_interval_s", "failure_threshold"):
        interval_s, threshold = line["check_interval_s"], line["failure_threshold"]
        if states(line, "failover_max_s"):
            later_s = sum(line.get(name, 0) for name in ("check_timeout_s", "propagation_s", "promotion_s"))
            found.append((interval_s * threshold + later_s) / line["failover_max_s"])
        if states(line, "failover_s"):
            found.append(interval_s * (threshold - 1) / line["failover_s"])
    if states(line, "availability", "probes"):
        down = 1 - line["availability"]
        found.append(3 / down / line["probes"] if down else float("inf"))
    return max(found, default=None)
    # END SOLUTION


# %% tags=["check"]
week00.service.check(service_overrun)

# %%
# Your rules, with the course's in place of any that did not pass yet, so that you can go on.
exercises = [week00.training, week00.memory, week00.service]
rules = [exercise.working_answer() for exercise in exercises]
for rule, exercise in zip(rules, exercises, strict=True):
    print(f"{exercise.title}: {'the course’s rule' if rule is exercise.reference else 'your rule'}")

# %% [markdown]
# ### The audit
#
# These rules leave four topics of the report alone, and this time you find the relations yourself:
#
# * **scaling efficiency**, with `scaling_mode` strong (one problem) or weak (one problem per worker)
# * **latency quantiles**: their order, and the samples that a p99 needs (10 beyond it)
# * **replication lag** of one object over one path
# * **cost** from prices, hours and counts, which are tuples of equal length
#
# {exercise 0.5}
#
# `lines` maps the id of each line to its quantities, as `audited.claims` does; `rules` holds the three functions of the
# cell above. Return the ids of the impossible lines.
# Printed numbers are rounded to three or four digits; decide how much an honest line may be off. You are graded on
# other reports of the same vendor, with other mistakes in other places.
#
# {criteria 0.5}

# %% exercise="0.5"
def audit(lines: dict[str, dict]) -> set[str]:
    """Return the ids of the lines that cannot be true."""
    # BEGIN SOLUTION
    def other_overrun(line):
        if "scaling_efficiency" in line:
            divisor = line["workers"] if line["scaling_mode"] == "strong" else 1
            return ratio(line["scaling_efficiency"], line["one_worker_s"] / line["all_workers_s"] / divisor)
        if "p99_ms" in line:
            return max(line["p50_ms"] / line["p95_ms"], line["p95_ms"] / line["p99_ms"], 1000 / line["samples"])
        if "lag_s" in line:
            path_s = line["one_way_latency_s"] + line["object_bytes"] / line["path_bytes_per_s"]
            return path_s / line["lag_s"]
        if "cost_usd" in line:
            parts = zip(line["unit_prices_usd_per_h"], line["usage_hours"], line["resource_counts"], strict=True)
            return ratio(line["cost_usd"], sum(price * hours * count for price, hours, count in parts))
        return None

    return {
        name for name, line in lines.items() if any((rule(line) or 0) > 1.02 for rule in [*rules, other_overrun])
    }
    # END SOLUTION


# %% tags=["check"]
week00.audit.check(audit)

# %% [markdown]
# Back to the report above. The course's own lint judges the same lines with its twenty rules; your audit stands beside
# it once it has passed.

# %%
auditor = week00.audit.working_answer()
whose = "the course’s" if auditor is week00.audit.reference else "your"
accused = auditor(audited.claims)
found = physics.lint([{"subject": line.id, **line.quantities} for line in audited.lines])
reasons = {line.id: [item for item in found if item.subject == line.id] for line in audited.lines}
WordTable(
    [
        (line.id, audited.truth[line.id].value, "accused" if line.id in accused else "",
         "; ".join(f"{item.rule}: {item.sentence}" for item in reasons[line.id]))
        for line in audited.lines
    ],
    columns=["line", "written as", f"{whose} audit", "what the lint says"],
)

# %%
def counted(ids):
    return {kind.value: len(audited.ids(kind) & ids) for kind in reversed(Truth)}


print(f"impossible: {len(audited.ids(Truth.IMPOSSIBLE))}; your guess: {format_guess(guess_impossible)}")
BarFigure(
    title="The lines of the report",
    x_label="lines",
    bars={"as written": counted(set(audited.truth)), "accused": counted(accused)},
    caption=f"counted; report {report_seed}, accused by {whose} audit",
    guess=guess_impossible,
)

# %% [markdown]
# The impossible lines do not look wild. Each is refuted by one line of arithmetic and by numbers that stand on the same
# page. **An audit needs no access to the system: it needs claims that state enough to be checked**, and a report that states
# less deserves that question first.
#
# What no rule finds is a plausible number that nobody measured. Against that only a receipt helps: a run that can be
# repeated, on hardware that is named, with the work in it.
#
# ## 7 · Drill: the ledger is torn
#
# Receipts are worth as much as the file that keeps them. Several notebooks and trainers append to it at once, and any of
# them may be killed at any moment. Start a process that appends as fast as it can and says so after every receipt; kill
# it with SIGKILL, several times, and read what is left.
#
# **Predict**: how many receipts that were *acknowledged* are missing from the file in the end?

# %%
guess_missing = 1  # SOLUTION

# %%
writer = """
import sys
from dataclasses import replace
from itertools import count
from labsupport.receipts.ledger import Ledger
from labsupport.receipts.receipt import Receipt

ledger, receipt = Ledger(sys.argv[1]), Receipt.from_json(sys.argv[2])
for number in count(1):
    ledger.append(replace(receipt, value=number))
    print(number, flush=True)  # acknowledged: from here on it must not be lost
"""


def append_until_killed(path: Path, after: int) -> int:
    """Start the writer, kill it once it has acknowledged `after` receipts, and return how many it had in the end."""
    command = [sys.executable, "-c", writer, str(path), measured.to_json_line()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent()) as child:
        while int(child.stdout.readline()) < after:
            pass
        kill(child.pid)
        return int((child.stdout.read().split() or [after])[-1])


# %%
folder = Path(tempfile.mkdtemp(prefix="labs-drill-"))
drilled, draw, rounds = folder / "receipts.jsonl", np.random.default_rng(7), []
for number in range(sizes.pick(smoke=3, cpu=5)):
    before = len(Ledger(drilled).read().receipts)
    acknowledged = append_until_killed(drilled, after=int(draw.integers(5, 80)))
    contents = Ledger(drilled).read()
    rounds.append((number + 1, acknowledged, len(contents.receipts) - before, len(contents.problems)))
missing = sum(max(0, acknowledged - kept) for _, acknowledged, kept, _ in rounds)
print(f"acknowledged receipts missing: {missing}; your guess: {format_guess(guess_missing)}")
pd.DataFrame(rounds, columns=["kill", "acknowledged", "in the file", "broken lines"]).set_index("kill")

# %% [markdown]
# A receipt is one line, written by one system call and synced before it is acknowledged. SIGKILL mostly falls before the
# call or after it, and the file may hold one more than was acknowledged: the one whose acknowledgement died with the
# process.
#
# A power cut is less polite and can leave half a line. Do that to a copy: cut it at a random byte, read
# it, append to it. **The danger is not the torn line, it is the next one: an append that trusts the file joins it to the
# torn one, and loses a receipt that was never in danger.**

# %%
whole = drilled.read_bytes()
cut = int(draw.integers(len(whole) // 2, len(whole)))
torn = folder / "torn.jsonl"
torn.write_bytes(whole[:cut])
before = Ledger(torn).read()
Ledger(torn).append(measured)
after = Ledger(torn).read()
print(f"cut at byte {cut} of {len(whole)}: {len(before.receipts)} receipts; {'; '.join(before.problems)}")
print(f"after one append: {len(after.receipts)} receipts; the last is {after.receipts[-1].name}")


# %%
def append_naively(path: Path) -> None:
    with path.open("a") as file:
        file.write(measured.to_json_line() + "\n")


lost = {"the ledger's append": 0, "open(path, 'a').write(line)": 0}
cuts = [int(cut) for cut in draw.integers(len(whole) // 2, len(whole), size=sizes.pick(smoke=40, cpu=100))]
for cut in cuts:
    for name, append in zip(lost, (lambda path: Ledger(path).append(measured), append_naively), strict=True):
        torn.write_bytes(whole[:cut])
        kept = len(Ledger(torn).read().receipts)
        append(torn)
        lost[name] += kept + 1 - len(Ledger(torn).read().receipts)
shutil.rmtree(folder)
pd.Series(lost, name=f"new receipts lost in {len(cuts)} cuts").to_frame()

# %% [markdown]
# Write-ahead logs and checkpoints live by the same two rules: say "done" only after the sync, and never trust the end of a
# file. Week 2 asks the same of checkpoints.
#
# ## Scoreboard

# %%
scoreboard(week00.EXERCISES)

# %% [markdown]
# **Summary.** A number without its work is decoration, and two thousand passing runs do not change that. An impossible
# claim contradicts numbers on its own page, so you need no access to refuse it. A receipt is evidence only while its file
# survives the process that wrote it.
#
# **On Monday**: take the last benchmark that decided something. Which lines state enough to be checked? What would each
# number be with the work replaced by nothing? Does your acceptance test have an input that fails it?
#
# **Open questions**: which plausible lie would pass all twenty rules? What should a receipt hold so that a stranger could
# repeat the run, and what of that would your company refuse to publish?

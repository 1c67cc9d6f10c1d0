"""The command as a person types it: help with a first use, and mistakes answered in one line."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

LABS = Path(sys.executable).with_name("labs")
VERBS = ("doctor", "lab", "run", "grade", "progress", "quiz", "path", "receipts", "validate", "train", "notebooks")
HELP_LIMIT_CPU_S = 0.3


def labs(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LABS, *arguments], capture_output=True, text=True, timeout=120, env=os.environ | environment, check=False
    )


def assert_one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode not in (0, 1), done.stdout
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("labs: ")
    for part in parts:
        assert part in lines[0]


def test_help_shows_a_first_use_and_every_verb():
    shown = labs("--help").stdout
    assert "A first hour" in shown
    assert [verb for verb in VERBS if verb not in shown] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb):
    done = labs(verb, "--help")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 20


@pytest.mark.parametrize("command", [[str(LABS), "--help"], [sys.executable, "-c", "import labsupport"]])
def test_asking_for_help_and_importing_the_package_cost_little(command):
    def cpu_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_s() for _ in range(5)) < HELP_LIMIT_CPU_S


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["run", "99"], ["week 99", "weeks here"]),
        (["grade", "99"], ["99"]),
        (["run", "1", "--profile", "huge"], ["huge", "smoke, cpu, gpu"]),
        (["run", "1", "--set", "num_workers"], ["num_workers", "name=value"]),
        pytest.param(["train", "--model", "resnet99"], ["resnet99", "resnet18"], marks=pytest.mark.slow),
        (["train", "--dataset", "cats"], ["cats", "digits"]),
        (["train", "--num-workers", "-1"], ["--num-workers is -1", "at least 1"]),
        (["train", "--num-workers", "64"], ["--num-workers 64", "cores"]),
        (["train", "--gpus-per-worker", "99"], ["GPUs"]),
        pytest.param(
            ["train", "--model", "llama-tiny", "--dataset", "digits"], ["llama-tiny", "digits"], marks=pytest.mark.slow
        ),
        (["train", "--columns", "picture=img"], ["--columns picture=img", "image, label, text"]),
        (["train", "--columns", "image=img"], ["--columns", "hf:", "digits"]),
        (["notebooks", "build", "99"], ["week99"]),
        (["path", "9"], ["9"]),
        (["validate", "--expect", "nonsense"], ["nonsense", ">="]),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(arguments, parts):
    assert_one_line(labs(*arguments), *parts)


def test_a_workspace_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert_one_line(labs("receipts", LABS_WORKSPACE=str(tmp_path / "file" / "workspace")), "LABS_WORKSPACE")


def test_a_receipts_file_that_is_none_is_named_and_kept(isolated):
    isolated.mkdir(parents=True)
    ledger = isolated / "receipts.jsonl"
    ledger.write_bytes(b"\x89PNG\r\n\x1a\n not a ledger")
    assert_one_line(labs("receipts"), "receipts.jsonl", "not a receipts file")
    assert ledger.read_bytes().startswith(b"\x89PNG")


def test_cifar10_without_network_says_what_to_do(tmp_path):
    refused = "http://127.0.0.1:9"  # nothing listens on the discard port
    done = labs("train", "--dataset", "cifar10", "--data-root", str(tmp_path), HTTPS_PROXY=refused, https_proxy=refused)
    assert_one_line(done, "cifar-10-binary.tar.gz", str(tmp_path))


def test_a_data_folder_that_is_not_there_is_named():
    assert_one_line(labs("train", "--dataset", "imagenet", "--data-root", "nowhere"), "--data-root nowhere")


def test_validation_without_a_single_receipt_is_not_green():
    done = labs("validate")
    assert done.returncode == 1
    assert "0 receipts" in done.stdout

"""The command as a person types it: help with a first use, and mistakes answered in one line."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from labsupport.receipts.receipt import Kind, Receipt

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
        (
            ["train", "--gpus-per-worker", "99"],
            ["--num-workers 2 x --gpus-per-worker 99", "GPUs", "--gpus-per-worker 0"],
        ),
        (["train", "--base-lr", "-1"], ["labs: --base-lr is -1:", "above 0"]),
        (["train", "--base-lr", "nan"], ["--base-lr is nan"]),
        (["train", "--weight-decay", "inf"], ["--weight-decay is inf", "at least 0"]),
        (["train", "--dropout", "3"], ["--dropout is 3:", "below 1"]),
        (["train", "--seed", "-1"], ["--seed is -1", "at least 0"]),
        (["train", "--dtype", "float16"], ["--dtype is 'float16'", "float32, float64"]),
        (["train", "--base-batch", "0"], ["--base-batch is 0"]),
        (["train", "--checkpoints-to-keep", "1"], ["--checkpoints-to-keep is 1", "at least 2"]),
        pytest.param(
            ["train", "--model", "llama-tiny", "--dataset", "digits"], ["llama-tiny", "digits"], marks=pytest.mark.slow
        ),
        (["train", "--columns", "picture=img"], ["--columns picture=img", "image, label, text"]),
        (["train", "--columns", "image"], ["--columns image", "="]),
        pytest.param(
            ["train", "--width", "8", "--global-batch", "2", "--num-workers", "2"],
            ["--global-batch 2 over --num-workers 2", "--global-batch of at least 4", "--norm group"],
            marks=pytest.mark.slow,
        ),
        (["train", "--columns", "image=img"], ["--columns", "hf:", "digits"]),
        (["notebooks", "build", "99"], ["week99"]),
        (["path", "9"], ["9"]),
        (["validate", "--expect", "nonsense"], ["nonsense", ">="]),
        (["validate", "--expect", "x<1.2.3"], ["x<1.2.3", "a number"]),
        (["validate", "--expect", "x<1e999"], ["x<1e999", "a number"]),  # infinite: everything is below it
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(arguments, parts):
    assert_one_line(labs(*arguments), *parts)


@pytest.mark.parametrize(
    ("arguments", "verb", "parts"),
    [
        (["run", "abc"], "labs run", ["WEEK 'abc'", "integer"]),
        (["run"], "labs run", ["missing argument 'WEEK'"]),
        (["run", "1", "2"], "labs run", ["extra argument", "2"]),
        (["train", "--nope"], "labs train", ["no such option: --nope"]),
        (["train", "--epochs", "many"], "labs train", ["--epochs 'many'", "integer"]),
        (["train", "--epochs"], "labs train", ["'--epochs' requires an argument"]),
        (["train", "--augment=3"], "labs train", ["'--augment' does not take a value"]),
        (["receipts", "--last", "-1"], "labs receipts", ["--last"]),
        (["notebooks", "build", "x"], "labs notebooks build", ["WEEK 'x'"]),
        (["notebooks", "bild"], "labs notebooks", ["no such command 'bild'"]),
        (["--nope"], "labs", ["no such option: --nope"]),
        (["trian"], "labs", ["no such command 'trian'"]),
    ],
)
def test_a_mistyped_command_is_one_line_that_names_its_help(arguments, verb, parts):
    done = labs(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith(f"{verb}: ")
    assert done.stderr.endswith(f"; see {verb} --help\n")
    assert [part for part in parts if part not in done.stderr] == []


@pytest.mark.parametrize("module", ["labsupport", "labsupport.cli.main"])
def test_the_package_and_its_module_run_as_the_command(module):
    def run(*arguments):
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert run("--help").stdout == labs("--help").stdout
    refused = run("train", "--epochs", "0")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == labs("train", "--epochs", "0").stderr


def test_the_command_alone_shows_its_help():
    assert labs("--help").stdout.strip() in labs().stderr


@pytest.mark.parametrize(("columns", "widest"), [("80", 80), ("120", 120)])
def test_help_uses_the_width_of_the_terminal(columns, widest):
    longest = max(map(len, labs("train", "--help", COLUMNS=columns).stdout.splitlines()))
    assert widest - 20 < longest <= widest


def some_receipts(workspace: Path, count: int) -> None:
    workspace.mkdir(parents=True)
    at = "2026-01-31T12:00:00+00:00"
    taken = Receipt("a.loss", 1.0, "nats", Kind.MEASURED, 20, 0.1, "2 cores", "labs train", "abc", "", at)
    (workspace / "receipts.jsonl").write_text((taken.to_json_line() + "\n") * count)


@pytest.mark.parametrize(
    "arguments", [["--help"], [], ["receipts"], ["receipts", "--json"], ["validate"], ["run", "x"]]
)
def test_a_reader_that_has_left_ends_the_command_in_silence(isolated, arguments):
    some_receipts(isolated, 3)
    reader, writer = os.pipe()
    os.close(reader)
    errors = writer if arguments in ([], ["run", "x"]) else subprocess.PIPE  # as in `labs run x 2>&1 | true`
    done = subprocess.run([LABS, *arguments], stdout=writer, stderr=errors, text=True, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr or "") == (141, "")


def test_a_reader_that_leaves_after_the_first_line_ends_the_command_in_silence(isolated):
    some_receipts(isolated, 3000)  # more than a pipe holds
    with subprocess.Popen(
        [LABS, "receipts", "--json", "--last", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as printing:
        assert "a.loss" in printing.stdout.readline()
        printing.stdout.close()
        said = printing.stderr.read()
    assert (printing.returncode, said) == (141, "")


def test_another_broken_pipe_is_a_bug_and_keeps_its_traceback():
    program = """
import socket, sys
from labsupport.cli import main
@main.app.command()
def talk():
    ours, theirs = socket.socketpair()
    theirs.close()
    ours.send(b"to nobody")
sys.argv[1:] = ["talk"]
main.main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "BrokenPipeError" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("arguments", [["--help"], ["receipts"], ["receipts", "--json"]])
def test_output_onto_a_full_disk_is_one_line(isolated, arguments):
    some_receipts(isolated, 3)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [LABS, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (2, "labs: the output: No space left on device\n")


def test_questions_without_anybody_to_answer_are_one_line():
    done = subprocess.run([LABS, "quiz"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "labs: the input ended before the question was answered\n")


@pytest.mark.slow
def test_an_unknown_mlflow_store_is_refused_before_anything_is_trained(isolated):
    done = labs("train", "--num-workers", "1", "--max-steps", "2", MLFLOW_TRACKING_URI="foo://x")
    assert_one_line(done, "foo://x", "--no-track")
    assert list(isolated.glob("runs/*")) == []


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

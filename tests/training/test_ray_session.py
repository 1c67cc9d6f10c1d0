"""What a Ray session of a lab starts, and what is left when it ends. Real Ray in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from labsupport.errors import LabsError
from labsupport.training import ray_session

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

LISTENERS = """
import json, sys
import ray  # before labsupport can set what Ray reads on import, as a notebook may do
import psutil
from labsupport.processes import supervised
from labsupport.training import ray_session

@ray.remote
def addresses(pid):
    return sorted({
        connection.laddr.ip
        for process in psutil.Process(pid).children(recursive=True)
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    })

with supervised():
    first = ray_session.start(dashboard=True)
    again = ray_session.start()
    found = ray.get(addresses.remote(psutil.Process().pid))  # seen by a worker, so that workers are among them
    folder = str(first.folder)
    names = [process.name() for process in psutil.Process().children(recursive=True)]
    ray_session.stop()
print(json.dumps({"addresses": found, "same": first == again, "folder": folder, "names": names}))
"""


@pytest.fixture(scope="module")
def seen():
    done = subprocess.run([sys.executable, "-c", LISTENERS], capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_server_and_worker_of_ray_listens_on_loopback_only(seen):
    assert any("dashboard" in name.lower() or "gcs" in name for name in seen["names"])
    assert seen["addresses"]
    assert set(seen["addresses"]) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def test_starting_again_gives_the_same_session_and_stopping_leaves_no_folder(seen):
    assert seen["same"]
    assert not Path(seen["folder"]).exists()


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_is_not_there_is_named_at_once(monkeypatch, scheme):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(LabsError, match=f"^RAY_ADDRESS={address}: nothing answers there"):
        ray_session.start()


def test_a_ray_that_does_not_start_says_why_in_one_line(monkeypatch):
    import ray

    def fails(**_options):
        raise RuntimeError("the port is taken\nand much more")

    monkeypatch.setattr(ray, "init", fails)
    monkeypatch.setattr(ray_session.time, "sleep", lambda seconds: None)
    with pytest.raises(LabsError, match=r"^Ray does not start, tried 3 times: the port is taken$"):
        ray_session.start()

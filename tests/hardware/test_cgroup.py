from __future__ import annotations

import pytest

from labsupport.hardware.cgroup import Limits, limits, parse_cfs_quota, parse_cpu_max, parse_memory_limit

V1_UNLIMITED = "9223372036854771712\n"


def test_v2_quota_is_quota_over_period() -> None:
    assert parse_cpu_max("150000 100000\n") == 1.5
    assert parse_cpu_max("max 100000\n") is None
    assert parse_cpu_max("50000") == 0.5


def test_v1_quota_of_minus_one_is_no_limit() -> None:
    assert parse_cfs_quota("-1\n", "100000\n") is None
    assert parse_cfs_quota("200000\n", "100000\n") == 2.0


def test_memory_limits_of_both_versions() -> None:
    assert parse_memory_limit("max\n") is None
    assert parse_memory_limit(V1_UNLIMITED) is None
    assert parse_memory_limit("2147483648\n") == 2 * 2**30


def test_v2_takes_the_tightest_limit_of_all_ancestors() -> None:
    files = {
        "/sys/fs/cgroup/user.slice/cpu.max": "200000 100000\n",
        "/sys/fs/cgroup/user.slice/memory.max": "max\n",
        "/sys/fs/cgroup/user.slice/lab.scope/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/user.slice/lab.scope/memory.max": "4294967296\n",
    }
    assert limits("0::/user.slice/lab.scope\n", files.get) == Limits(cores=2.0, memory_bytes=4 * 2**30)


def test_v2_inside_a_container_reads_the_root() -> None:
    files = {"/sys/fs/cgroup/cpu.max": "50000 100000\n", "/sys/fs/cgroup/memory.max": "1073741824\n"}
    assert limits("0::/\n", files.get) == Limits(cores=0.5, memory_bytes=2**30)


def test_v1_inside_a_container_shows_the_hosts_path_and_only_the_root_exists() -> None:
    membership = "12:memory:/docker/1f2e\n4:cpu,cpuacct:/docker/1f2e\n1:name=systemd:/docker/1f2e\n"
    files = {
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "8589934592\n",
    }
    assert limits(membership, files.get) == Limits(cores=3.0, memory_bytes=8 * 2**30)


def test_a_hybrid_machine_reads_v1_where_v2_has_no_controllers() -> None:
    membership = "4:memory:/app\n1:cpu:/\n0::/\n"
    files = {
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/app/memory.limit_in_bytes": "1073741824\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": V1_UNLIMITED,
    }
    assert limits(membership, files.get) == Limits(cores=None, memory_bytes=2**30)


@pytest.mark.parametrize("membership", ["", "0::/\n", "3:cpuset:/\n"])
def test_no_files_means_no_limits(membership: str) -> None:
    assert limits(membership, {}.get) == Limits()


@pytest.mark.parametrize("listed", ["cpuacct,cpu", "cpu,cpuacct"])
@pytest.mark.parametrize("mount", ["cpu,cpuacct", "cpuacct,cpu", "cpu"])
def test_v1_controllers_are_found_whatever_order_the_kernel_and_the_mount_name_them_in(listed: str, mount: str) -> None:
    files = {
        f"/sys/fs/cgroup/{mount}/cpu.cfs_quota_us": "200000",
        f"/sys/fs/cgroup/{mount}/cpu.cfs_period_us": "100000",
    }
    assert limits(f"8:{listed}:/docker/a\n", files.get) == Limits(cores=2.0)


def test_v1_memory_that_shares_a_mount_is_found_too() -> None:
    files = {"/sys/fs/cgroup/hugetlb,memory/app/memory.limit_in_bytes": "1073741824\n"}
    assert limits("3:memory,hugetlb:/app\n", files.get) == Limits(memory_bytes=2**30)

"""What NCCL decided is read from its log. The logs are fragments written after NCCL's documentation, not recordings."""

from __future__ import annotations

import pytest

from labsupport.errors import LabsError
from labsupport.training.communication.nccl_log import Choice, Connection, TreeNode, parse

ONE_NODE = """
some program says hello
NCCL version 2.27.3+cuda12.9
node-a:100:100 [0] NCCL INFO NCCL_ALGO set by environment to Ring.
node-a:100:120 [0] NCCL INFO NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_1:1/IB ; OOB eth0:10.0.0.1<0>
node-a:100:120 [0] NCCL INFO comm 0x55 rank 0 nranks 4 cudaDev 0 nvmlDev 0 busId 18000 commId 0x1 - Init START
node-a:100:120 [0] NCCL INFO Channel 00/02 :    0   1   2   3
node-a:100:120 [0] NCCL INFO Channel 01/02 :    0   3   2   1
node-a:100:120 [0] NCCL INFO Trees [0] 1/-1/-1->0->-1 [1] -1/-1/-1->0->3
node-a:101:121 [1] NCCL INFO Trees [0] 2/-1/-1->1->0 [1] 0/2/-1->1->-1
node-a:100:120 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read
node-a:100:120 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read
node-a:101:121 [1] NCCL INFO Channel 00 : 1[1] -> 2[2] via SHM/direct/direct
node-a:100:120 [0] NCCL INFO Connected all rings
node-a:100:120 [0] NCCL INFO 2 coll channels, 2 collnet channels, 0 nvls channels, 4 p2p channels
node-a:100:120 [0] NCCL INFO AllReduce: 1024 Bytes -> Algo TREE proto LL channel{Lo..Hi}={0..0}
node-a:100:120 [0] NCCL INFO AllReduce: 4096 Bytes -> Algo TREE proto LL channel{Lo..Hi}={0..0}
node-a:100:120 [0] NCCL INFO AllReduce: 268435456 Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..1}
node-a:100:120 [0] NCCL INFO 805306368 Bytes -> Algo 1 proto 2 time 3970.683594
node-a:101:121 [1] NCCL WARN Cuda failure 'out of memory'
""".splitlines()

TWO_NODES = """
node-a:1:1 [0] NCCL INFO NET/IB : No device found.
node-a:1:1 [0] NCCL INFO NET/Socket : Using [0]eth0:10.0.0.1<0>
node-a:1:1 [0] NCCL INFO Channel 00/0 : 1[0] -> 0[0] [receive] via NET/Socket/0
node-b:2:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] [send] via NET/Socket/0
""".splitlines()


def test_the_topology_is_read_from_the_lines_that_print_whole_rings_and_trees():
    log = parse(ONE_NODE)
    assert (log.version, log.world_size, log.hosts, log.coll_channels) == ("2.27.3+cuda12.9", 4, ("node-a",), 2)
    assert log.rings == {0: (0, 1, 2, 3), 1: (0, 3, 2, 1)}
    assert log.trees[0] == (TreeNode(0, (1,), -1), TreeNode(1, (2,), 0))
    assert log.trees[1] == (TreeNode(0, (), 3), TreeNode(1, (0, 2), -1))


def test_a_connection_that_is_printed_twice_counts_once_and_its_transport_is_split_from_the_rest():
    log = parse(ONE_NODE)
    assert log.connections == (
        Connection(0, 0, 1, "P2P", "CUMEM/read"),
        Connection(0, 1, 2, "SHM", "direct/direct"),
    )
    assert dict(log.transports) == {"P2P": 1, "SHM": 1}


def test_algorithm_and_protocol_are_read_by_name_and_by_number():
    log = parse(ONE_NODE)
    assert log.choices[-1] == Choice("", 805306368, "Ring", "Simple")
    assert log.chosen() == {("Tree", "LL"): (1024, 4096), ("Ring", "Simple"): (268435456, 805306368)}


def test_warnings_environment_and_networks_are_kept_and_unknown_lines_counted():
    log = parse(ONE_NODE)
    assert log.warnings == ("Cuda failure 'out of memory'",)
    assert log.environment == {"NCCL_ALGO": "Ring"}
    assert log.networks == ("IB",)
    assert log.other_lines == 1, "Connected all rings"


def test_the_mistakes_of_one_node_are_its_shared_memory_its_few_channels_and_its_override():
    assert parse(ONE_NODE).mistakes() == (
        "1 connection inside a node through shared memory: these GPUs have no peer-to-peer access",
        "only 2 channels: no NVLink between these GPUs, or a cap is set",
        "NCCL_ALGO=Ring overrides NCCL's own choice",
    )


def test_two_nodes_on_sockets_are_told_that_no_rdma_device_was_found():
    log = parse(TWO_NODES)
    assert log.hosts == ("node-a", "node-b")
    assert log.networks == ("Socket",)
    assert log.mistakes() == ("2 connections on TCP sockets: NCCL found no RDMA device",)


def test_rdma_that_is_staged_through_host_memory_is_a_mistake_and_gpudirect_is_none():
    line = "a:1:1 [0] NCCL INFO Channel 00/0 : 0[0] -> 8[0] [send] via NET/IB/0{}"
    assert parse([line.format("/GDRDMA")]).mistakes() == ()
    assert parse([line.format("")]).mistakes() == (
        "1 of 1 connection over the network through host memory: GPUDirect RDMA is off",
    )


def test_a_file_without_a_line_of_nccl_is_refused():
    with pytest.raises(LabsError, match="no line of this file is NCCL's"):
        parse(["epoch 1", "loss 2.0"])

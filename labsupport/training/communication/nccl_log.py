"""Read what NCCL decided from its log: rings, trees, transports, algorithm and protocol, and what looks wrong.

`NCCL_DEBUG=INFO` prints the topology once, when a communicator is made; `NCCL_DEBUG_SUBSYS=INIT,ENV,GRAPH,TUNING` adds
the rings and trees of each rank and one line per collective with the algorithm and protocol that were chosen. The lines
are not a stable interface: this reader knows the spellings of NCCL 2.8 to 2.28, ignores every other line, and counts
them, so that a log it does not understand shows as one.

Limitations: connection lines (`Channel 00 : 0[0] -> 1[1] via ...`) are printed while connections are made, in no order
and for trees too; rings are taken from the lines that print whole rings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from labsupport.errors import LabsError

ALGORITHMS = ("Tree", "Ring", "CollNetDirect", "CollNetChain", "NVLS", "NVLSTree", "PAT")  # by number, nccl_common.h
PROTOCOLS = ("LL", "LL128", "Simple")
FEW_CHANNELS = 2  # a node whose GPUs are joined by NVLink gets 16 to 32

_PREFIX = re.compile(
    r"(?P<host>[\w.-]+):(?P<pid>\d+):(?P<tid>\d+) \[(?P<device>\d+)\] NCCL (?P<level>INFO|WARN) (?P<text>.*)"
)
_VERSION = re.compile(r"NCCL version (\S+)")
_INIT = re.compile(r"comm \S+ rank (\d+) n[rR]anks (\d+) .*(?:Init (?:COMPLETE|START)|nNodes (\d+))")
_RING = re.compile(r"Channel (\d+)/(\d+) :((?:\s+\d+)+)\s*$")
_TREES = re.compile(r"Trees((?: \[\d+\] \S+)+)")
_TREE = re.compile(r"\[(\d+)\] (-?\d+)/(-?\d+)/(-?\d+)->(-?\d+)->(-?\d+)")
_CONNECTION = re.compile(
    r"(?:Channel|Ring) (\d+)(?:/\d+)? : (\d+)(?:\[\w+\])? -> (\d+)(?:\[\w+\])?(?: \[(send|receive)\])? via (\S+.*)"
)
_CHANNELS = re.compile(r"(\d+) coll channels")
_CHOICE = re.compile(r"(?:(\w+): )?(\d+) Bytes -> Algo (\w+) proto (\w+)")
_NET = re.compile(r"NET/(\w+) : (?:Using|Initializing|No device found)(.*)")
_ENVIRONMENT = re.compile(r"(NCCL_\w+) set by environment to (.*?)\.?$")


@dataclass(frozen=True)
class Connection:
    """One hop: who sends to whom over which transport."""

    channel: int
    source: int
    destination: int
    transport: str
    """P2P, SHM or NET/<plugin>."""
    detail: str
    """The rest of the transport as printed, such as `CUMEM/read` or `0/GDRDMA`."""


@dataclass(frozen=True)
class TreeNode:
    """A rank's place in one tree: -1 stands for none."""

    rank: int
    children: tuple[int, ...]
    parent: int


@dataclass(frozen=True)
class Choice:
    """What NCCL's cost model chose for one collective."""

    collective: str
    size_bytes: int
    algorithm: str
    protocol: str


@dataclass(frozen=True)
class NcclLog:
    """What one log says."""

    version: str
    world_size: int
    hosts: tuple[str, ...]
    rings: dict[int, tuple[int, ...]] = field(hash=False)
    """Channel -> ranks in the order of the ring."""
    trees: dict[int, tuple[TreeNode, ...]] = field(hash=False)
    """Channel -> the nodes of its tree, by rank."""
    connections: tuple[Connection, ...]
    coll_channels: int
    choices: tuple[Choice, ...]
    networks: tuple[str, ...]
    environment: dict[str, str] = field(hash=False)
    warnings: tuple[str, ...]
    other_lines: int
    """NCCL lines that this reader does not know."""

    @property
    def transports(self) -> Counter[str]:
        """How many connections use each transport."""
        return Counter(connection.transport for connection in self.connections)

    def chosen(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return (algorithm, protocol) -> the smallest and the largest message it was chosen for."""
        spans: dict[tuple[str, str], tuple[int, int]] = {}
        for choice in self.choices:
            key = (choice.algorithm, choice.protocol)
            low, high = spans.get(key, (choice.size_bytes, choice.size_bytes))
            spans[key] = min(low, choice.size_bytes), max(high, choice.size_bytes)
        return spans

    def mistakes(self) -> tuple[str, ...]:
        """Return what a person who reads the log for a slow job would stop at, the costliest first."""
        found = []
        sockets = [c for c in self.connections if c.transport == "NET/Socket"]
        if sockets:
            found.append(
                f"{_connections(sockets)} on TCP sockets: NCCL found no RDMA device"
                if "Socket" in self.networks or not self.networks
                else f"{_connections(sockets)} on TCP sockets although {', '.join(self.networks)} is there"
            )
        rdma = [c for c in self.connections if c.transport in ("NET/IB", "NET/OFI")]
        staged = [c for c in rdma if "GDRDMA" not in c.detail]
        if staged:
            found.append(
                f"{len(staged)} of {_connections(rdma)} over the network through host memory: GPUDirect RDMA is off"
            )
        shared = [c for c in self.connections if c.transport == "SHM"]
        if shared:
            found.append(
                f"{_connections(shared)} inside a node through shared memory: these GPUs have no peer-to-peer access"
                + (" (NCCL_P2P_DISABLE is set)" if self.environment.get("NCCL_P2P_DISABLE") == "1" else "")
            )
        if self.world_size > 1 and 0 < self.coll_channels <= FEW_CHANNELS:
            found.append(f"only {self.coll_channels} channels: no NVLink between these GPUs, or a cap is set")
        for name in ("NCCL_ALGO", "NCCL_PROTO", "NCCL_MAX_NCHANNELS", "NCCL_IB_DISABLE"):
            if name in self.environment:
                found.append(f"{name}={self.environment[name]} overrides NCCL's own choice")
        return tuple(found)


def parse(lines: Iterable[str]) -> NcclLog:
    """Read a log; lines of other programs between NCCL's are ignored.

    Raises:
        LabsError: no line is NCCL's.
    """
    version, world_size, coll_channels, other = "", 0, 0, 0
    hosts: dict[str, None] = {}
    rings: dict[int, tuple[int, ...]] = {}
    trees: dict[int, dict[int, TreeNode]] = {}
    connections: dict[Connection, None] = {}
    choices: list[Choice] = []
    networks: dict[str, None] = {}
    environment: dict[str, str] = {}
    warnings: list[str] = []
    for line in lines:
        if match := _VERSION.search(line):
            version = match[1]
        prefixed = _PREFIX.search(line)
        if prefixed is None:
            continue
        hosts[prefixed["host"]] = None
        text = prefixed["text"].rstrip()
        if prefixed["level"] == "WARN":
            warnings.append(text)
        elif match := _RING.match(text):
            rings[int(match[1])] = tuple(map(int, match[3].split()))
        elif match := _TREES.match(text):
            for channel, *children, rank, parent in (map(int, found) for found in _TREE.findall(match[1])):
                node = TreeNode(rank, tuple(child for child in children if child >= 0), parent)
                trees.setdefault(channel, {})[rank] = node
        elif match := _CONNECTION.match(text):
            transport, detail = _transport(match[5])
            connections[Connection(int(match[1]), int(match[2]), int(match[3]), transport, detail)] = None
        elif match := _CHOICE.search(text):
            collective = match[1] or ""
            choices.append(Choice(collective, int(match[2]), _named(match[3], ALGORITHMS), _named(match[4], PROTOCOLS)))
        elif match := _INIT.search(text):
            world_size = int(match[2])
        elif match := _CHANNELS.search(text):
            coll_channels = int(match[1])
        elif match := _NET.match(text):
            if "No device found" not in text:
                networks[match[1]] = None
        elif match := _ENVIRONMENT.search(text):
            environment[match[1]] = match[2]
        else:
            other += not _VERSION.search(text)
    if not hosts:
        raise LabsError("no line of this file is NCCL's: run with NCCL_DEBUG=INFO and keep stdout and stderr")
    return NcclLog(
        version=version,
        world_size=world_size or max((len(ring) for ring in rings.values()), default=0),
        hosts=tuple(hosts),
        rings=dict(sorted(rings.items())),
        trees={channel: tuple(nodes[rank] for rank in sorted(nodes)) for channel, nodes in sorted(trees.items())},
        connections=tuple(connections),
        coll_channels=coll_channels or len(rings),
        choices=tuple(choices),
        networks=tuple(networks),
        environment=environment,
        warnings=tuple(warnings),
        other_lines=other,
    )


def _connections(found: Sequence[Connection]) -> str:
    return "1 connection" if len(found) == 1 else f"{len(found)} connections"


def _transport(printed: str) -> tuple[str, str]:
    """Split `NET/IB/0/GDRDMA` into NET/IB and the rest, `P2P/CUMEM/read` into P2P and the rest."""
    parts = printed.split()[0].split("/") if "/" in printed else printed.split(maxsplit=1)
    kept = 2 if parts[0] == "NET" else 1
    return "/".join(parts[:kept]), "/".join(parts[kept:])


def _named(printed: str, names: tuple[str, ...]) -> str:
    """Return a name; older versions print its number, newer ones its name in capitals."""
    if printed.isdigit():
        return names[int(printed)] if int(printed) < len(names) else printed
    return next((name for name in names if name.lower() == printed.lower()), printed)

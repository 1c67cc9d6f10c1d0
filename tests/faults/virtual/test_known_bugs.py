"""Small protocols with a known bug each: the world finds it, and nothing in the protocol without it."""

from __future__ import annotations

from dataclasses import dataclass

from labsupport.faults.virtual import (
    Completion,
    FaultSpec,
    Program,
    Scenario,
    exponential,
    linearizable_registers,
    nothing_acknowledged_is_lost,
    shrink,
)

SEEDS = range(100)


class LogServer(Program):
    """Appends elements to a file and answers reads from memory."""

    fsyncs = "before the acknowledgement"

    def on_start(self, node):
        stored = node.disk.read("log").decode().split() if node.disk.exists("log") else []
        self.elements = list(map(int, stored))

    def on_message(self, node, message, sender):
        if message["do"] == "add":
            if message["element"] not in self.elements:  # a client that heard nothing asks again
                self.elements.append(message["element"])
                node.disk.append("log", f"{message['element']} ".encode())
            if self.fsyncs == "before the acknowledgement":
                node.disk.fsync("log")
            node.send(sender, message)
            if self.fsyncs == "after the acknowledgement":
                node.after(0.05, "fsync")
        else:
            node.send(sender, message | {"elements": self.elements})

    def on_timer(self, node, name):
        node.disk.fsync("log")


class LazyLogServer(LogServer):
    fsyncs = "after the acknowledgement"


class Adder(Program):
    """Adds numbers one after another, and reads when the faults are over."""

    def on_start(self, node):
        self.next, self.open = 0, {}
        node.after(0.1, "add")
        for at_s in (16, 17, 18):
            node.after(at_s, f"read at {at_s}")

    def on_timer(self, node, name):
        if name == "add":
            self.open["add"] = node.invoke("add", argument=self.next)
            node.send("server", {"do": "add", "element": self.next})
            node.after(0.3, "timeout")
        elif name == "timeout":
            node.complete(self.open.pop("add"), completion=Completion.UNKNOWN)
            self._go_on(node)
        else:
            self.open[name] = node.invoke("read")
            node.send("server", {"do": name})

    def on_message(self, node, message, sender):
        if message["do"] in self.open:
            if message["do"] != "add":
                node.complete(self.open.pop(message["do"]), result=message["elements"])
            elif message["element"] == self.next:
                node.complete(self.open.pop("add"))
                node.cancel("timeout")
                self._go_on(node)

    def _go_on(self, node):
        self.next += 1
        if self.next < 40:
            node.after(0.1, "add")


def durable_log(server, *faults: str) -> Scenario:
    def build(world):
        world.add("server", server)
        world.add("client", Adder)

    return Scenario(
        "durable log",
        build,
        FaultSpec.of(*faults, per_minute=6, nodes=("server",), quiet_s=10, longest_s=2),
        duration_s=20,
        at_end=nothing_acknowledged_is_lost(),
    )


class TestDurability:
    def test_an_acknowledgement_after_the_fsync_survives_every_crash(self):
        assert list(durable_log(LogServer, "crash").failing(SEEDS)) == []

    def test_an_acknowledgement_before_the_fsync_loses_elements(self):
        scenario = durable_log(LazyLogServer, "crash")
        failing = next(scenario.failing(SEEDS))
        assert failing.failure.name == "nothing acknowledged is lost"
        assert "1 lost" in failing.failure.message
        assert len(shrink(scenario, failing).schedule.faults) <= 2

    def test_a_disk_that_lies_makes_the_same_of_the_careful_server(self):
        scenario = durable_log(LogServer, "disk-lies")
        failing = next(scenario.failing(SEEDS))
        assert "lost" in failing.failure.message
        smallest = shrink(scenario, failing).schedule
        assert sorted(fault.kind for fault in smallest.faults) == ["crash", "disk-lies"]

    def test_a_torn_append_is_found_by_the_server_that_does_not_expect_one(self):
        failing = [run.failure for run in durable_log(LazyLogServer, "disk-tears").failing(SEEDS)]
        assert any("lost" in failure.message or "unexpected" in failure.message for failure in failing)


@dataclass(frozen=True)
class Request:
    number: int
    value: int | None  # None to read


class Primary(Program):
    """Takes writes, and copies them to the backup without waiting."""

    def on_start(self, node):
        self.value = 0

    def on_message(self, node, message, sender):
        if message.value is not None:
            self.value = message.value
            node.send("backup", message)
        node.send(sender, Request(message.number, self.value))


class Backup(Program):
    """Answers reads with what has arrived."""

    def on_start(self, node):
        self.value = 0

    def on_message(self, node, message, sender):
        if sender == "primary":
            self.value = message.value
        else:
            node.send(sender, Request(message.number, self.value))


class Client(Program):
    """Writes and reads one register, a request at a time."""

    def __init__(self, reads_from: str):
        self.reads_from = reads_from

    def on_start(self, node):
        self.open = None
        node.after(node.random.uniform(0.0, 0.2), "next")

    def on_timer(self, node, name):
        if self.open is not None:
            node.complete(self.open, completion=Completion.UNKNOWN)
        value = node.random.randint(1, 10**6) if node.random.random() < 0.5 else None
        self.open = node.invoke("read" if value is None else "write", "x", value)
        node.send(self.reads_from if value is None else "primary", Request(self.open, value))
        node.after(1.0, "next")

    def on_message(self, node, message, sender):
        if message.number == self.open:
            node.complete(self.open, result=message.value)
            self.open = None
            node.after(node.random.uniform(0.0, 0.2), "next")


def register(reads_from: str) -> Scenario:
    def build(world):
        world.add("primary", Primary)
        world.add("backup", Backup)
        for name in ("c1", "c2", "c3"):
            world.add(name, lambda: Client(reads_from))
            world.link("primary", name).delay = exponential(0.001, 0.05)

    return Scenario(
        "register",
        build,
        FaultSpec.of("delay", "loss", "pause", per_minute=6, quiet_s=2, longest_s=2),
        duration_s=12,
        at_end=linearizable_registers(initial=0),
    )


class TestStaleReads:
    def test_reads_from_the_primary_are_linearizable(self):
        assert [run.seed for run in register("primary").failing(SEEDS)] == []

    def test_reads_from_the_backup_are_found_to_be_stale_and_explained(self):
        failing = next(register("backup").failing(SEEDS))
        sentence, *operations = failing.failure.message.splitlines()
        assert sentence.startswith("register x is not linearizable")
        assert 2 <= len(operations) <= 6
        assert "read x" in operations[-1]

    def test_the_smallest_schedule_delays_or_loses_the_copy(self):
        scenario = register("backup")
        smallest = shrink(scenario, next(scenario.failing(SEEDS))).schedule
        assert len(smallest.faults) <= 1

"""How long messages take on a link, and what faults do to them."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from labsupport.faults.virtual.links import Link, constant, exponential, lognormal, uniform


def link(delay=None) -> Link:
    made = Link(delay or constant(0.1), random.Random(1), random.Random(2))
    made.healthy = False
    return made


def arrivals(one: Link, count: int = 1, *, every_s: float = 0.0, size: int | None = None) -> list[tuple[float, ...]]:
    return [one.arrivals_s(number * every_s, "message", size) for number in range(count)]


class TestDelays:
    @pytest.mark.parametrize(
        ("delay", "lowest", "median", "highest"),
        [
            (constant(2.0), 2.0, 2.0, 2.0),
            (uniform(1.0, 3.0), 1.0, 2.0, 3.0),
            (exponential(1.0, 1.0), 1.0, 1 + math.log(2), math.inf),
            (lognormal(2.0, 1.0), 0.0, 2.0, math.inf),
        ],
    )
    def test_they_have_the_bounds_and_the_median_that_they_say(self, delay, lowest, median, highest):
        draw = random.Random(1)
        drawn = [delay(draw) for _ in range(4000)]
        assert lowest <= min(drawn) <= max(drawn) <= highest
        assert statistics.median(drawn) == pytest.approx(median, rel=0.05)

    def test_sigma_one_puts_the_99th_percentile_at_ten_times_the_median(self):
        draw = random.Random(1)
        drawn = sorted(lognormal(1.0, 1.0)(draw) for _ in range(20_000))
        assert drawn[19_800] == pytest.approx(10, rel=0.1)


class TestHealthyLink:
    def test_messages_keep_their_order_however_their_delays_vary(self):
        one = link(uniform(0.0, 10.0))
        one.healthy = True
        times = [only for (only,) in arrivals(one, 200, every_s=0.01)]
        assert times == sorted(times)

    def test_bandwidth_makes_messages_queue(self):
        one = link()
        one.healthy = True
        one.bytes_per_s = 1000
        assert arrivals(one, 3, size=500) == [(0.6,), (1.1,), (1.6,)]

    def test_the_queue_empties_with_time(self):
        one = link()
        one.bytes_per_s = 1000
        assert arrivals(one, 2, every_s=2.0, size=500) == [(0.6,), (2.6,)]


class TestFaults:
    def test_a_partition_loses_everything(self):
        one = link()
        one.blocked = True
        assert arrivals(one, 3) == [(), (), ()]

    def test_loss_loses_its_share(self):
        one = link()
        one.loss = 0.25
        lost = sum(not times for times in arrivals(one, 4000))
        assert lost == pytest.approx(1000, rel=0.1)

    def test_duplicates_arrive_twice_the_second_not_before_the_first(self):
        one = link()
        one.duplicate = 0.25
        twice = [times for times in arrivals(one, 4000, every_s=1.0) if len(times) == 2]
        assert len(twice) == pytest.approx(1000, rel=0.1)
        assert all(second >= first for first, second in twice)

    def test_extra_delay_is_added(self):
        one = link()
        one.extra_s = 2.0
        assert arrivals(one) == [(2.1,)]

    def test_jitter_varies_and_keeps_the_order(self):
        one = link()
        one.jitter_s = 0.5
        times = [only for (only,) in arrivals(one, 2000, every_s=10.0)]
        extra = [at_s - 10.0 * number - 0.1 for number, at_s in enumerate(times)]
        assert statistics.mean(extra) == pytest.approx(0.5, rel=0.1)
        assert times == sorted(times)

    def test_reordering_lets_messages_overtake_within_its_bound(self):
        one = link()
        one.reorder_s = 1.0
        times = [only for (only,) in arrivals(one, 200, every_s=0.01)]
        assert times != sorted(times)
        assert all(0.1 <= at_s - 0.01 * number <= 1.1 for number, at_s in enumerate(times))

    def test_a_throttle_counts_bytes_and_the_slower_limit_holds(self):
        one = link()
        one.bytes_per_s, one.throttle_bytes_per_s = 1000, 100
        assert arrivals(one, 1, size=50) == [(0.6,)]
        one.throttle_bytes_per_s = 10_000
        assert one.arrivals_s(10.0, "message", 50) == (10.15,)

    def test_without_a_size_the_message_itself_is_counted(self):
        short, long = link(), link()
        short.throttle_bytes_per_s = long.throttle_bytes_per_s = 100
        assert short.arrivals_s(0.0, "x", None)[0] + 0.99 < long.arrivals_s(0.0, "x" * 100, None)[0]

    def test_a_reset_heals_and_what_is_held_up_holds_up_nothing_new(self):
        one = link()
        one.throttle_bytes_per_s = 1
        assert arrivals(one, 1, size=500) == [(500.1,)]
        one.reset()
        assert one.healthy
        assert one.arrivals_s(1.0, "message", 500) == (1.1,)

    def test_a_fault_changes_no_delay_of_the_messages_that_it_spares(self):
        healthy, lossy = link(uniform(0, 1)), link(uniform(0, 1))
        lossy.loss = 0.5
        spared = zip(arrivals(healthy, 100, every_s=2.0), arrivals(lossy, 100, every_s=2.0), strict=True)
        assert all(with_loss in (without, ()) for without, with_loss in spared)

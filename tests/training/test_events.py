"""A reader follows a log that is still being written."""

from __future__ import annotations

import pytest

from labsupport.training.events import EventLog, losses, read_events, replays_that_differ


def steps(*pairs: tuple[int, float]) -> list[dict]:
    return [{"event": "step", "step": step, "loss": loss.hex()} for step, loss in pairs]


def test_events_of_a_rank_are_read_back_in_order(tmp_path):
    log = EventLog(tmp_path / "events", rank=1)
    log.emit("start", step=0)
    log.emit("step", step=1, loss=(0.5).hex())
    log.close()
    first, second = read_events(tmp_path / "events", rank=1)
    assert (first["event"], second["step"]) == ("start", 1)
    assert read_events(tmp_path / "events", rank=0) == []


def test_a_line_that_is_still_being_written_is_left_for_later(tmp_path):
    (tmp_path / "rank0.jsonl").write_text('{"event": "start"}\n{"event": "st')
    assert [event["event"] for event in read_events(tmp_path)] == ["start"]


@pytest.mark.parametrize("cut_off", ['{"event": "st', '{"event": "start"', '{"event": "error", "error": "in {x}', "{}"])
def test_a_line_that_a_killed_writer_left_cut_off_harms_no_other(tmp_path, cut_off):
    (tmp_path / "rank0.jsonl").write_text('{"event": "start"}\n' + cut_off)
    log = EventLog(tmp_path, rank=0)
    log.emit("end")
    log.close()
    assert [event["event"] for event in read_events(tmp_path) if event] == ["start", "end"]


def test_a_step_repeated_after_a_restart_counts_once():
    assert losses(steps((1, 0.5), (2, 0.4), (2, 0.4), (3, 0.3))) == {1: 0.5, 2: 0.4, 3: 0.3}


def test_a_replay_that_differs_in_the_last_bit_is_found():
    assert replays_that_differ(steps((1, 0.5), (1, 0.5))) == []
    assert replays_that_differ(steps((1, 0.5), (1, 0.5 + 2**-53))) == [1]


def means(step: int, *losses: float) -> dict:
    return {"event": "losses", "step": step, "losses": [loss.hex() for loss in losses]}


def test_the_mean_over_the_workers_replaces_the_share_of_the_rank():
    before = [*steps((1, 0.5), (2, 0.4)), means(2, 0.7, 0.6)]
    assert losses([*before, *steps((3, 0.3))]) == {1: 0.7, 2: 0.6, 3: 0.3}
    assert losses([*before, *steps((3, 0.3), (4, 0.2)), means(4, 0.9, 0.8)]) == {1: 0.7, 2: 0.6, 3: 0.9, 4: 0.8}


def test_a_step_that_was_done_again_after_its_mean_was_formed_has_the_later_mean():
    first, again = [*steps((1, 0.5), (2, 0.4)), means(2, 0.7, 0.6)], [*steps((2, 0.4)), means(2, 0.65)]
    assert losses([*first, *again]) == {1: 0.7, 2: 0.65}


def test_shares_of_another_number_of_workers_are_no_replay_that_differs():
    def start(world_size):
        return {"event": "start", "world_size": world_size}

    assert replays_that_differ([start(2), *steps((1, 0.5)), start(1), *steps((1, 0.6))]) == []
    assert replays_that_differ([start(2), *steps((1, 0.5)), start(2), *steps((1, 0.6))]) == [1]

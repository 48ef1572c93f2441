"""The checker itself: a history that is right passes, each kind of wrong one does not."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from history import History  # noqa: E402


def written(*writes):
    history = History()
    for value, begun, acknowledged in writes:
        history.write_begins("k", value, begun)
        if acknowledged is not None:
            history.write_acknowledged("k", value, acknowledged)
    return history


def test_the_latest_value_and_a_miss_are_right():
    history = written((1, 0, 1), (2, 2, 3))
    history.read("k", 2, 4, 5, "a")
    history.read("k", None, 4, 5, "a")
    assert history.check() == []


def test_an_older_value_after_a_newer_acknowledged_one_is_stale():
    history = written((1, 0, 1), (2, 2, 3))
    history.read("k", 1, 4, 5, "a")
    assert "read 1" in history.check()[0]


def test_either_value_is_right_while_the_write_is_under_way():
    history = written((1, 0, 1), (2, 2, 6))
    history.read("k", 1, 4, 5, "a")
    history.read("k", 2, 4, 5, "b")
    assert history.check() == []


def test_an_unacknowledged_write_may_appear_at_any_later_time():
    history = written((1, 0, 1), (2, 2, None), (3, 4, 5))
    history.read("k", 2, 9, 10, "a")
    assert history.check() == []


def test_a_value_from_the_future_is_wrong():
    history = written((1, 0, 1))
    history.read("k", 7, 2, 3, "a")
    assert "nobody had written" in history.check()[0]


def test_a_flushed_value_is_wrong_after_the_flush_and_right_during_it():
    history = written((1, 0, 1))
    history.flushed(2, 3)
    history.read("k", 1, 2.5, 2.6, "a")
    assert history.check() == []
    history.read("k", 1, 4, 5, "a")
    assert "flushed" in history.check()[0]

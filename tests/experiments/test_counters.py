"""People inside, from what a door counted in and out since it was last reset."""

import numpy as np
import pytest

from experiments.counters import inside

MINUTE = 60_000


def told(*pairs):
    """(minute, total) as a counter tells them."""
    at, total = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(at, dtype=np.int64) * MINUTE, np.array(total, dtype=np.float64)


@pytest.mark.parametrize(
    ("went_in", "came_out", "people"),
    [
        # what it had counted before does not count
        ([(0, 72), (5, 75), (10, 75)], [(0, 70), (5, 70), (10, 72)], [0, 3, 1]),
        # it is reset at night, or by hand in the middle of a meeting
        ([(0, 72), (5, 74), (10, 0), (15, 1)], [(0, 70), (5, 70), (10, 0), (15, 0)], [0, 2, 2, 3]),
        # somebody came in unseen: never fewer than nobody
        ([(0, 0), (5, 1), (10, 1), (15, 3)], [(0, 0), (5, 0), (10, 2), (15, 2)], [0, 1, 0, 2]),
        # totals told at different instants
        ([(0, 0), (10, 4)], [(5, 0), (15, 4)], [0, 0, 4, 0]),
        ([], [], []),
        ([(0, 9)], [], [0]),
    ],
)
def test_the_balance_of_the_door(went_in, came_out, people):
    times, found = inside(told(*went_in), told(*came_out))
    assert list(found) == people
    assert len(times) == len(people)


def test_whoever_left_unseen_is_not_inside_for_ever():
    quiet = [(minute, 3) for minute in range(10, 260, 10)]
    times, people = inside(told((0, 0), *quiet), told((0, 0), *[(minute, 2) for minute, _ in quiet]))
    assert list(people[times < 130 * MINUTE]) == [0] + [1] * 12
    assert not people[times >= 130 * MINUTE].any()


def test_people_at_random_are_counted_to_the_last():
    """A thousand passages: the balance is what a person at the door would have written down."""
    chance = np.random.default_rng(7)
    truth, total_in, total_out, rows = 0, 500.0, 480.0, []
    for minute in range(1000):
        step = (
            int(chance.integers(0, 3))
            if chance.random() < 0.5
            else -int(chance.integers(0, min(truth, 2) + 1))
        )
        truth += step
        total_in, total_out = total_in + max(step, 0), total_out + max(-step, 0)
        rows.append((minute + 1, total_in, total_out, truth))
    came = told((0, 500.0), *[(minute, total) for minute, total, _, _ in rows])
    left = told((0, 480.0), *[(minute, total) for minute, _, total, _ in rows])
    _, people = inside(came, left)
    assert list(people[1:]) == [row[3] for row in rows]

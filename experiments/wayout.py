"""The way out of « cannot conclude » and « indicative »: tried, and said only if it lifts the grade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.estimate import GRADES, Estimate, Grade, grade, grade_of, worse
from experiments.lot import Block, Lot
from experiments.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from experiments.design import Design, Protocol

MOST_ADDED = 12


def ways_out(estimated: Estimate, protocol: Protocol, alpha: float, reached: Grade) -> tuple[Reason, ...]:
    """Days first where they are all that lacks, then rooms (balanced additions first), then the mechanism."""
    if reached == "decision":
        return ()
    design = protocol.design
    cap: Grade = "indicative" if protocol.retrospective else "decision"
    ways = [*_more_days(estimated, design, alpha, cap), *_more_rooms(estimated, design, alpha, cap)]
    ways += _other_mechanism(estimated, protocol, alpha)
    return tuple(way for way in ways if _above(way.numbers["grade"], reached))


def count_grade(n_treated: int, n_baseline: int, design: Design, alpha: float) -> Grade:
    """The grade of so many rooms under the design's mechanism (pairs or one lot)."""
    if n_treated < 1 or n_baseline < 1:
        return "none"
    pairs = (Block(2, (1,)),) * min(n_treated, n_baseline)
    lot = Lot(pairs if design.pairs is not None else (Block(n_treated + n_baseline, (n_treated,)),))
    return grade(n_treated, n_baseline, lot.p_floor, design.assignment, alpha)


def _above(one: Grade, other: Grade) -> bool:
    return GRADES.index(one) > GRADES.index(other)


def _more_days(estimated: Estimate, design: Design, alpha: float, cap: Grade) -> Iterator[Reason]:
    """Only rooms whose days before suffice can be brought back by waiting."""
    late = {
        room: reason.numbers["needed"] - reason.numbers["after"]
        for room, reason in estimated.excluded.items()
        if reason.code == "too_few_days" and reason.numbers["before"] >= reason.numbers["needed"]
    }
    if not late:
        return
    rooms = [*(room.room for room in estimated.rooms), *late]
    treated = [room for room in rooms if room in design.switch]
    baseline = [room for room in rooms if room not in design.switch]
    lifted = worse(grade_of(design, treated, baseline, alpha), cap)
    yield Reason("more_days", {"rooms": sorted(late), "days": max(late.values()), "grade": lifted})


def _more_rooms(estimated: Estimate, design: Design, alpha: float, cap: Grade) -> Iterator[Reason]:
    """For each better grade: the smallest balanced addition, then a cheaper uneven one if there is one."""
    n1, n0 = estimated.n_treated, estimated.n_baseline
    if not n1 + n0:  # what silenced every room would silence the new ones
        return
    said: set[tuple[int, int]] = set()
    for target in ("indicative", "decision"):
        cheapest = 2 * MOST_ADDED + 1
        for additions in _additions(n1, n0, pairs=design.pairs is not None):
            reached = (
                (more, worse(count_grade(n1 + more[0], n0 + more[1], design, alpha), cap))
                for more in additions
            )
            found = next(((more, got) for more, got in reached if not _above(target, got)), None)
            if found is None or sum(found[0]) >= cheapest:
                continue
            (treated, baseline), got = found
            cheapest = treated + baseline
            if found[0] in said:
                continue
            said.add(found[0])
            numbers = {"treated": treated, "baseline": baseline, "grade": got}
            yield Reason("add_rooms", numbers | {"n_treated": n1 + treated, "n_baseline": n0 + baseline})


def _additions(n_treated: int, n_baseline: int, *, pairs: bool) -> list[list[tuple[int, int]]]:
    """As many to each arm; then any, fewest rooms first and the arms as equal as can be."""
    balanced = [(k, k) for k in range(1, MOST_ADDED + 1)]
    if pairs:
        return [balanced]
    counts = range(MOST_ADDED + 1)
    uneven = [(a, b) for a in counts for b in counts if a + b]
    return [
        balanced,
        sorted(uneven, key=lambda more: (sum(more), abs(n_treated + more[0] - n_baseline - more[1]))),
    ]


def _other_mechanism(estimated: Estimate, protocol: Protocol, alpha: float) -> Iterator[Reason]:
    """The same numbers of rooms, declared before the switch and drawn by lot."""
    lot = Lot((Block(estimated.n_treated + estimated.n_baseline, (estimated.n_treated,)),))
    lifted = grade(estimated.n_treated, estimated.n_baseline, lot.p_floor, "lot", alpha)
    if protocol.retrospective:
        yield Reason("new_protocol", {"grade": lifted})
    elif protocol.design.assignment == "unknown":
        yield Reason("draw_by_lot", {"grade": lifted})

"""The draw by lot: one mechanism draws the rooms, and draws them again for the randomisation test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations
from math import comb, prod
from typing import TYPE_CHECKING

import numpy as np

from experiments.reason import DesignError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Picks = NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """`size` rooms among which one lot is drawn: `takes[g]` of them get date g, the others none."""

    size: int
    takes: tuple[int, ...]

    @property
    def treated(self) -> int:
        """Rooms that get a date."""
        return sum(self.takes)


@dataclass(frozen=True)
class Lot:
    """Blocks (strata, pairs, or one block of all rooms) drawn independently.

    A draw is a row of room positions: block after block, date after date, which rooms get it. Rooms are
    numbered block after block.
    """

    blocks: tuple[Block, ...]

    @property
    def count(self) -> int:
        """Distinct assignments, all equally likely."""
        return prod(_arrangements(block) for block in self.blocks)

    @property
    def symmetric(self) -> bool:
        """Whether exchanging the arms gives another assignment, so that extremes come in twos."""
        return all(len(block.takes) == 1 and block.size == 2 * block.treated for block in self.blocks)

    @property
    def p_floor(self) -> float:
        """The smallest p-value the randomisation test can give."""
        return min(1.0, (2 if self.symmetric else 1) / self.count)

    @property
    def dates(self) -> Picks:
        """Which date each column of a draw gets."""
        takes = [(g, n) for block in self.blocks for g, n in enumerate(block.takes)]
        return np.repeat([g for g, _ in takes], [n for _, n in takes]).astype(np.int64)

    def draw(self, rng: np.random.Generator, size: int = 1) -> Picks:
        """`size` draws, each row one."""
        columns, start = [], 0
        for block in self.blocks:
            columns.append(start + _shuffle(rng, block.size, block.treated, size))
            start += block.size
        return np.concatenate(columns, axis=1)

    def every(self) -> Picks:
        """Every assignment once; call it only where `count` is small."""
        tables, start = [], 0
        for block in self.blocks:
            tables.append(start + _enumerate(block.size, block.takes))
            start += block.size
        rows = np.indices([len(table) for table in tables]).reshape(len(tables), -1)
        return np.concatenate([table[row] for table, row in zip(tables, rows, strict=True)], axis=1)


def draw_by_lot(
    rooms: Sequence[str],
    n_treated: int,
    seed: int,
    strata: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The treated rooms, drawn with a recorded seed; within strata in proportion to their size.

    The same rooms in any order and the same seed give the same rooms. Raises DesignError.
    """
    names = sorted(set(rooms))
    if not 0 < n_treated < len(names):
        raise DesignError(
            f"{n_treated} of {len(names)} rooms cannot be drawn: leave at least one of each kind"
        )
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault("" if strata is None else str(strata.get(name, "")), []).append(name)
    sizes = [len(groups[key]) for key in sorted(groups)]
    order = [name for key in sorted(groups) for name in groups[key]]
    lot = Lot(tuple(Block(n, (k,)) for n, k in zip(sizes, _shares(sizes, n_treated), strict=True)))
    return tuple(order[i] for i in sorted(lot.draw(np.random.default_rng(seed))[0]))


def match_pairs(
    rooms: Mapping[str, float], groups: Mapping[str, str] | None = None
) -> tuple[tuple[str, str], ...]:
    """Rooms in pairs of like size (capacity, area) within a group (site, use); an odd room out is left.

    Never match on the outcome's own history: its regression to the mean would pass for an effect.
    """
    grouped: dict[str, list[str]] = {}
    for room in sorted(rooms):
        grouped.setdefault("" if groups is None else str(groups.get(room, "")), []).append(room)
    pairs: list[tuple[str, str]] = []
    for key in sorted(grouped):
        ordered = sorted(grouped[key], key=lambda room: (rooms[room], room))
        pairs += _closest(ordered, rooms)
    return tuple(pairs)


def draw_pairs(pairs: Sequence[tuple[str, str]], seed: int) -> tuple[tuple[str, str], ...]:
    """Which room of each pair is treated: the same pairs, treated room first."""
    lot = Lot(tuple(Block(2, (1,)) for _ in pairs))
    picks = lot.draw(np.random.default_rng(seed))[0] - 2 * np.arange(len(pairs))
    return tuple((pair[pick], pair[1 - pick]) for pair, pick in zip(pairs, picks.tolist(), strict=True))


def _closest(ordered: list[str], rooms: Mapping[str, float]) -> list[tuple[str, str]]:
    """Neighbours by size; of an odd number, the room whose absence leaves the closest pairs stays out."""

    def couples(names: list[str]) -> list[tuple[str, str]]:
        return list(zip(names[::2], names[1::2], strict=False))

    if len(ordered) % 2 == 0:
        return couples(ordered)
    ways = [couples(ordered[:i] + ordered[i + 1 :]) for i in range(0, len(ordered), 2)]
    return min(ways, key=lambda way: sum(rooms[b] - rooms[a] for a, b in way))


def _shares(sizes: list[int], total: int) -> list[int]:
    """`total` shared out in proportion to `sizes`, by largest remainders."""
    exact = [total * size / sum(sizes) for size in sizes]
    shares = [int(share) for share in exact]
    by_rest = sorted(range(len(sizes)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_rest[: total - sum(shares)]:
        shares[i] += 1
    return shares


def _arrangements(block: Block) -> int:
    left, count = block.size, 1
    for take in block.takes:
        count *= comb(left, take)
        left -= take
    return count


def _shuffle(rng: np.random.Generator, size: int, take: int, draws: int) -> Picks:
    """The first `take` places of `draws` Fisher-Yates shuffles of `size` rooms."""
    places = np.repeat(np.arange(size)[:, None], draws, axis=1)
    columns = np.arange(draws)
    for place in range(take):
        other = rng.integers(place, size, draws)
        picked = places[other, columns]
        places[other, columns] = places[place]
        places[place] = picked
    return np.ascontiguousarray(places[:take].T)


@lru_cache(maxsize=64)
def _enumerate(size: int, takes: tuple[int, ...]) -> Picks:
    if not takes:
        return np.empty((1, 0), dtype=np.int64)
    take = takes[0]
    flat = chain.from_iterable(combinations(range(size), take))
    ways = comb(size, take)
    first = np.fromiter(flat, dtype=np.int64, count=ways * take).reshape(ways, take)
    if len(takes) == 1:
        return first
    # the later dates choose among the rooms that are left
    rest = _enumerate(size - take, takes[1:])
    left = np.stack([np.setdiff1d(np.arange(size), row, assume_unique=True) for row in first])
    later = left[:, rest].reshape(-1, rest.shape[1])
    return np.concatenate([np.repeat(first, len(rest), axis=0), later], axis=1)

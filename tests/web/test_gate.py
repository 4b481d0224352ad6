"""Who goes first when many messages come at once."""

from __future__ import annotations

import threading
import time

import pytest

from web.gate import Crowded, Gate, Rank


class Watched(Gate):
    """Notes who is let in, in that order: when a thread then runs is the machine's choice."""

    def __init__(self, at_once: int):
        super().__init__(at_once)
        self.admitted: list[tuple[Rank, int]] = []

    def _waiting(self) -> dict[int, tuple[Rank, int]]:
        return {n: (Rank.RULES, size) for size, n, _ in self._rules} | {n: (Rank(rank), 0) for rank, n, _ in self._others}

    def _admit(self) -> None:
        before = self._waiting()
        super()._admit()
        self.admitted += sorted(who for n, who in before.items() if n not in self._waiting())


def test_rules_go_first_then_what_may_find_danger_then_the_dialogue() -> None:
    gate = Watched(at_once=1)

    def pass_through(rank: Rank) -> None:
        with gate.turn(rank):
            pass

    with gate.turn(Rank.DIALOGUE), gate.turn(Rank.RULES), gate.turn(Rank.RULES):
        held = list(gate.admitted)
        threads = []
        for rank in (Rank.DIALOGUE, Rank.SCREEN, Rank.DIALOGUE, Rank.RULES, Rank.SCREEN, Rank.RULES):
            threads.append(threading.Thread(target=pass_through, args=(rank,)))
            threads[-1].start()
        while len(gate._waiting()) < len(threads):
            time.sleep(0.01)
        assert gate.admitted == held
    for thread in threads:
        thread.join(timeout=5)
    assert [rank for rank, _ in gate.admitted[len(held) :]] == [Rank.RULES] * 2 + [Rank.SCREEN] * 2 + [Rank.DIALOGUE] * 2


def test_a_short_message_does_not_wait_for_long_ones() -> None:
    gate = Watched(at_once=2)

    def pass_through(size: int) -> None:
        with gate.turn(Rank.RULES, size):
            pass

    with gate.turn(Rank.RULES, 20_000), gate.turn(Rank.RULES, 20_000):
        threads = [threading.Thread(target=pass_through, args=(size,)) for size in (2000, 2001, 30, 1999, 40)]
        for thread in threads:
            thread.start()
        while len(gate._waiting()) < len(threads):
            time.sleep(0.01)
    for thread in threads:
        thread.join(timeout=5)
    assert [size for _, size in gate.admitted] == [20_000, 20_000, 30, 40, 1999, 2000, 2001]


def test_no_more_inside_than_places() -> None:
    gate = Gate(at_once=2)
    inside, most = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with gate.turn(Rank.DIALOGUE):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=5)
    assert (inside, most) == (0, 2)


def test_what_hangs_inside_holds_up_no_rules_and_others_for_a_while_only() -> None:
    gate = Gate(at_once=1, longest_wait=0.05)
    with gate.turn(Rank.DIALOGUE):
        with gate.turn(Rank.RULES):
            pass
        with pytest.raises(Crowded), gate.turn(Rank.SCREEN):
            pass
    with gate.turn(Rank.SCREEN):
        pass

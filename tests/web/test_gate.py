"""Who goes first when many messages come at once."""

from __future__ import annotations

import threading
import time

import pytest

from web.gate import Crowded, Gate, Rank


def test_rules_go_first_then_what_may_find_danger_then_the_dialogue() -> None:
    gate = Gate(at_once=1)
    order: list[Rank] = []

    def pass_through(rank: Rank) -> None:
        with gate.turn(rank):
            order.append(rank)

    with gate.turn(Rank.DIALOGUE), gate.turn(Rank.RULES), gate.turn(Rank.RULES):
        threads = []
        for rank in (Rank.DIALOGUE, Rank.SCREEN, Rank.DIALOGUE, Rank.RULES, Rank.SCREEN, Rank.RULES):
            threads.append(threading.Thread(target=pass_through, args=(rank,)))
            threads[-1].start()
            time.sleep(0.02)
        assert order == []
    for thread in threads:
        thread.join(timeout=5)
    assert sorted(order[:2]) == [Rank.RULES] * 2 and order[2:] == sorted(order[2:]) and len(order) == 6


def test_a_short_message_does_not_wait_for_long_ones() -> None:
    gate = Gate()
    order: list[int] = []

    def pass_through(size: int) -> None:
        with gate.turn(Rank.RULES, size):
            order.append(size)

    with gate.turn(Rank.RULES, 20_000), gate.turn(Rank.RULES, 20_000):
        threads = [threading.Thread(target=pass_through, args=(size,)) for size in (2000, 2001, 30, 1999, 40)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        assert order == []
    for thread in threads:
        thread.join(timeout=5)
    assert sorted(order[:2]) == [30, 40] and len(order) == 5


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

"""Who goes first when many messages come at once."""

from __future__ import annotations

import threading
import time

import pytest

from web.gate import LONGEST_HOLD, Arrivals, Crowded, Gate, Rank


def begin_at_once(arrivals: Arrivals, n: int) -> list[int]:
    """n requests come; the numbers of those that were begun, in order, as they are."""
    begun: list[int] = []
    for _ in range(n):
        arrivals.come(begun.append)
    return begun


def finish(arrivals: Arrivals, number: int) -> None:
    arrivals.begin(number)
    arrivals.past()


def test_what_may_find_danger_goes_before_what_only_answers() -> None:
    gate, order = Gate(at_once=1), []

    def pass_through(rank: Rank) -> None:
        with gate.turn(rank):
            order.append(rank)

    with gate.turn(Rank.DIALOGUE):
        threads = []
        for rank in (Rank.DIALOGUE, Rank.SCREEN, Rank.DIALOGUE, Rank.SCREEN):
            threads.append(threading.Thread(target=pass_through, args=(rank,)))
            threads[-1].start()
        while len(gate._waiting) < len(threads):
            time.sleep(0.01)
        assert order == []
    for thread in threads:
        thread.join(timeout=5)
    assert order == [Rank.SCREEN] * 2 + [Rank.DIALOGUE] * 2


def test_a_few_begin_at_once_and_each_that_is_past_the_rules_lets_the_next_begin() -> None:
    arrivals = Arrivals(at_once=2)
    begun = begin_at_once(arrivals, 4)
    assert begun == [0, 1]
    finish(arrivals, 1)
    assert begun == [0, 1, 2]
    finish(arrivals, 0), finish(arrivals, 2)
    assert begun == [0, 1, 2, 3]
    assert arrivals
    finish(arrivals, 3)
    assert not arrivals


def test_saying_twice_that_a_request_is_past_changes_nothing() -> None:
    arrivals = Arrivals(at_once=1)
    begun = begin_at_once(arrivals, 3)
    finish(arrivals, 0)
    arrivals.past()
    assert begun == [0, 1]


def test_an_urgent_message_has_all_places_until_its_reply_is_sent() -> None:
    arrivals = Arrivals(at_once=2)
    begun = begin_at_once(arrivals, 5)
    arrivals.begin(0)
    arrivals.urgent()
    other = threading.Thread(target=finish, args=(arrivals, 1))
    other.start(), other.join()
    assert begun == [0, 1]
    arrivals.past()
    assert begun == [0, 1, 2, 3]


def test_words_of_danger_go_first_once_they_have_come() -> None:
    arrivals = Arrivals(at_once=1)
    arrivals.glance = lambda words: "breathe" in words
    begun: list[tuple[str, int]] = []
    late = iter([None, "he can't breathe"])
    for name, words in (("first", str), ("second", lambda: "hello"), ("third", lambda: next(late)), ("fourth", lambda: "she can't breathe"), ("fifth", str)):
        arrivals.come(lambda number, name=name: begun.append((name, number)), words)
    while begun[-1][0] != "fifth":
        finish(arrivals, begun[-1][1])
    assert [name for name, _ in begun] == ["first", "fourth", "third", "second", "fifth"]


def test_nobody_is_looked_at_who_need_not_wait() -> None:
    arrivals = Arrivals(at_once=1)
    arrivals.glance = lambda words: pytest.fail("looked at")
    begun: list[int] = []
    for _ in range(2):
        arrivals.come(begun.append, lambda: "hello")
        finish(arrivals, begun[-1])
    assert begun == [0, 1]


def test_a_client_that_stalls_keeps_the_others_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.gate.STALLED", 0.02)
    arrivals = Arrivals(at_once=2)
    begun = begin_at_once(arrivals, 3)
    assert arrivals.go_on()
    time.sleep(0.03)
    assert not arrivals.go_on()
    assert begun == [0, 1, 2]


def test_what_follows_the_rules_waits_for_those_that_have_come_but_not_for_ever() -> None:
    arrivals = Arrivals()
    gate, let_in = Gate(arrivals=arrivals), threading.Event()

    def enter() -> None:
        with gate.turn(Rank.SCREEN):
            let_in.set()

    begin_at_once(arrivals, 1)
    threading.Thread(target=enter).start()
    assert not let_in.wait(LONGEST_HOLD / 3)
    finish(arrivals, 0)
    assert let_in.wait(2)
    let_in.clear()
    begin_at_once(arrivals, 1)  # this one never gets past
    threading.Thread(target=enter).start()
    assert let_in.wait(2)


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


def test_what_hangs_inside_holds_others_up_for_a_while_only() -> None:
    gate = Gate(at_once=1, longest_wait=0.05)
    with gate.turn(Rank.DIALOGUE), pytest.raises(Crowded), gate.turn(Rank.SCREEN):
        pass
    with gate.turn(Rank.SCREEN):
        pass

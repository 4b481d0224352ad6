"""Platforms that fail, are slow, or send in a muddle."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.channels.fakes import Phone, World, make_world
from web.channels.base import Call
from web.channels.delivery import Delivery
from web.channels.errors import Busy, Undeliverable
from web.channels.lanes import Lanes
from web.channels.simulator.platform import Platform

QUESTION = "Does ketamine help CRPS?"
APIS = ["whatsapp", "telegram", "messenger", "slack"]


@pytest.mark.parametrize("name", APIS)
@pytest.mark.parametrize("failures", [[500], [503, 500, 502], [(429, {"Retry-After": "0"})]])
def test_a_failing_platform_is_tried_again(world: World, name: str, failures: list) -> None:
    phone = world.phone(name)
    world.platform.failures[:] = list(failures)
    shown = phone.say(QUESTION)
    assert "Ketamine Guide" in shown[0].text
    assert any("[1]" in s.text for s in shown)


@pytest.mark.parametrize("name", APIS)
def test_tries_are_bounded(world: World, name: str) -> None:
    phone = world.phone(name)
    world.platform.failures[:] = [500] * 100
    assert phone.say(QUESTION) == []
    assert world.platform.tries == 4
    world.platform.failures.clear()
    assert phone.say("Does it help migraine?") != []


def test_urgent_is_tried_longer(world: World) -> None:
    phone = world.phone("telegram")
    world.platform.failures[:] = [500] * 7
    assert "988" in phone.read("I want to kill myself")


@pytest.mark.parametrize("name", APIS)
def test_what_the_platform_refuses_is_not_tried_again(world: World, name: str) -> None:
    world.platform.failures[:] = [403] * 100
    world.phone(name).say(QUESTION)
    assert world.platform.tries == 1


def test_a_platform_that_hangs_is_tried_again() -> None:
    platform = Platform(failures=[("sleep", 0.6)])
    delivery = Delivery(0.01, timeout=httpx.Timeout(0.2))
    call = Call(f"{platform.url}/bot1:x/sendMessage", json={"chat_id": 1, "text": "hello"})
    delivery.send(call, lambda r: None if r.is_success else "bad")
    assert platform.tries == 2
    platform.close()
    with pytest.raises(Undeliverable, match="connect"):
        Delivery(0.01).send(call, lambda r: None, tries=2)


def test_retry_after_is_obeyed_within_bounds() -> None:
    platform = Platform(failures=[(429, {"Retry-After": "3"}), (429, {"Retry-After": "9999"})])
    waits: list[float] = []
    delivery = Delivery(0.01, sleep=waits.append)
    call = Call(f"{platform.url}/bot1:x/sendMessage", json={"chat_id": 1, "text": "hello"})
    delivery.send(call, lambda r: None if r.is_success else "bad")
    assert 3 <= waits[0] <= 3.6
    assert waits[1] == 30
    platform.close()


# -- slow answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sms", "whatsapp-twilio", *APIS])
def test_a_slow_answer_is_acknowledged_in_time_and_sent_later(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = world.phone(name)
    door = world.doors[phone.sender.channel]
    monkeypatch.setattr(type(door.channel), "ack_within", 0.2)
    started = time.monotonic()
    assert phone.say("please wait 0.8 seconds, does ketamine help CRPS?") == []
    assert time.monotonic() - started < 0.6
    shown = world.platform.wait(2, 5.0, phone.sender.address)
    assert len(shown) == 2
    assert "[1]" in shown[1].text


def test_a_retry_while_the_first_is_slow_is_answered_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = world.phone("slack")
    monkeypatch.setattr(type(world.doors["slack"].channel), "ack_within", 0.1)
    hook = phone.sender.text("please wait 0.5 seconds")
    for _ in range(4):
        assert world.post(hook, **{"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}).status_code == 200
    time.sleep(0.8)
    assert len(world.script.asked) == 1


# -- order and bursts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["telegram", "whatsapp"])
def test_a_burst_of_one_person_is_answered_in_the_order_it_was_written(world: World, name: str) -> None:
    phone = world.phone(name)
    phone.say(QUESTION)
    base = time.time()
    block = phone.sender.text("please wait 0.5 seconds", at=base)
    later = [phone.sender.text(f"does ketamine help CRPS {n}", at=base + n) for n in (1, 2, 3, 4)]
    threads = [threading.Thread(target=world.post, args=(block,))]
    threads[0].start()
    time.sleep(0.15)
    for hook in reversed(later):  # they arrive the wrong way round while the first is being answered
        threads.append(threading.Thread(target=world.post, args=(hook,)))
        threads[-1].start()
        time.sleep(0.03)
    for thread in threads:
        thread.join()
    assert [a[-1] for a in world.script.asked[2:]] == ["1", "2", "3", "4"]
    quoted = [s for s in world.platform.messages(phone.sender.address) if s.quoted]
    assert len(quoted) >= 3, "the answers say which message they are for"


@pytest.mark.parametrize("name", ["sms", *APIS])
def test_no_message_is_lost_or_doubled_in_a_burst(tmp_path: Path, name: str) -> None:
    world = make_world(tmp_path)
    answers: Counter[int] = Counter()
    lock = threading.Lock()
    hooks = []
    for n in range(60):
        user = f"U{n:07d}" if name == "slack" else f"1555{n:07d}"
        hook = world.phone(name, user).sender.text(QUESTION)
        hooks += [hook, hook] if n % 3 == 0 else [hook]  # every third is delivered twice

    def work() -> None:
        client = world.app.test_client()
        while True:
            with lock:
                if not hooks:
                    return
                hook = hooks.pop()
            response = client.post(hook.path, data=hook.body, headers=hook.headers)
            with lock:
                answers[response.status_code] += 1
                if name == "sms" and b"<Message>" in response.data:
                    answers[-1] += 1

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers[200] == 80
    assert len(world.script.asked) == 60
    if name == "sms":
        assert answers[-1] + len({r.to for r in world.platform.received}) == 60
    else:
        to = Counter(r.to for r in world.platform.received if r.shown and "It is a program" in r.shown.text)
        assert len(to) == 60
        assert set(to.values()) == {1}
    world.close()


def test_a_full_queue_answers_danger_and_lets_the_platform_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path, channel_queue=1, channel_workers=1)
    monkeypatch.setattr(type(world.doors["telegram"].channel), "ack_within", 0.05)
    world.post(world.phone("telegram", "1").sender.text("please wait 1 seconds"))
    hook = world.phone("telegram", "2").sender.text(QUESTION)
    busy = world.post(hook)
    assert busy.status_code == 503
    assert busy.headers["Retry-After"]
    world.post(world.phone("telegram", "3").sender.text("I want to kill myself"))
    assert "988" in world.platform.messages("3")[0].text
    time.sleep(1.3)
    assert world.post(hook).status_code == 200
    assert len(world.platform.wait(2, 3.0, "2")) == 2
    world.close()


def test_a_full_queue_says_so_by_sms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(tmp_path, channel_queue=1, channel_workers=1)
    monkeypatch.setattr(type(world.doors["twilio"].channel), "ack_within", 0.05)
    world.post(world.phone("sms", "+15550000001").sender.text("please wait 1 seconds"))
    assert "911" in world.phone("sms", "+15550000002").read(QUESTION)
    world.close()


# -- lanes -------------------------------------------------------------------------------------------------------------


def test_lanes_keep_order_within_and_run_side_by_side() -> None:
    lanes = Lanes("t", 4, 1000)
    done: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    running: set[str] = set()

    def job(lane: str, n: int) -> None:
        assert lane not in running
        running.add(lane)
        time.sleep(0.001)
        done[lane].append(n)
        running.discard(lane)

    futures = [lanes.submit(lane, float(n), lambda lane=lane, n=n: job(lane, n)) for n in range(50) for lane in done]
    for future in futures:
        future.result(5)
    assert all(v == list(range(50)) for v in done.values())
    assert lanes.close(1.0)
    with pytest.raises(Busy):
        lanes.submit("a", 0.0, lambda: None)


def test_a_fault_in_a_job_does_not_end_its_lane() -> None:
    lanes = Lanes("t", 1, 10)
    bad = lanes.submit("a", 0.0, lambda: 1 / 0)
    good = lanes.submit("a", 1.0, lambda: 7)
    assert good.result(2) == 7
    with pytest.raises(ZeroDivisionError):
        bad.result(2)


def test_close_waits_for_answers_under_way(world: World) -> None:
    from web.channels.views import close

    phone: Phone = world.phone("telegram")
    thread = threading.Thread(target=phone.say, args=("please wait 0.4 seconds",))
    thread.start()
    time.sleep(0.1)
    assert close(world.doors, 3.0)
    assert len(world.platform.messages()) == 2
    thread.join()

"""Sending to a platform: time-outs, and tries again within bounds."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx

from web.channels.base import Call
from web.channels.errors import Undeliverable

TRIES = 4
URGENT_TRIES = 8  # about a minute and a half with the standard waits
LONGEST_WAIT = 30.0  # seconds, also of a Retry-After
TIMEOUT = httpx.Timeout(8.0, connect=3.0)
# httpx logs every URL at INFO, and Telegram's hold the bot's token
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


class Delivery:
    """Sends calls to a platform.

    Failures that may pass (no connection, time-outs, 429, 5xx) are tried again, with waits that double; others are not.
    After a time-out the platform may have taken the message: a reply twice is better than none.

    Args:
        first_wait: Seconds before the second try.
        sleep: For tests.

    """

    def __init__(
        self, first_wait: float, sleep: Callable[[float], None] = time.sleep, timeout: httpx.Timeout = TIMEOUT
    ):
        self._first_wait = first_wait
        self._sleep = sleep
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
        # a clinic's proxy for the way out is in the environment; the loopback (tests, simulator) needs none
        self._client = httpx.Client(timeout=timeout, limits=limits)
        self._local = httpx.Client(timeout=timeout, limits=limits, trust_env=False)

    def send(self, call: Call, problem: Callable[[httpx.Response], str | None], tries: int = TRIES) -> httpx.Response:
        """Send a call.

        Args:
            call: What to send.
            problem: The platform's error in a response, or None.
            tries: At most so many times.

        Raises:
            Undeliverable: when it was not taken.

        """
        for number in range(1, tries + 1):
            wait = min(LONGEST_WAIT, self._first_wait * 2 ** (number - 1))
            try:
                response = self._post(call)
            except httpx.TimeoutException:
                reason = "timeout"
            except httpx.HTTPError:
                reason = "connect"
            else:
                found = problem(response)
                if found is None:
                    return response
                reason = found
                if not _passing(response, reason):
                    raise Undeliverable(reason)
                wait = _asked(response) or wait
            if number < tries:
                self._sleep(min(LONGEST_WAIT, wait * random.uniform(1.0, 1.2)))  # noqa: S311 - spreads tries, no secret
        raise Undeliverable(reason)

    def _post(self, call: Call) -> httpx.Response:
        host = urlsplit(call.url).hostname
        client = self._local if host in ("127.0.0.1", "localhost", "::1") else self._client
        auth = httpx.BasicAuth(*call.auth) if call.auth else httpx.USE_CLIENT_DEFAULT
        if call.form is not None:
            return client.post(call.url, data=dict(call.form), headers=dict(call.headers), auth=auth)
        return client.post(call.url, json=call.json, headers=dict(call.headers), auth=auth)


def _passing(response: httpx.Response, reason: str) -> bool:
    return response.status_code == 429 or response.status_code >= 500 or reason in ("ratelimited", "internal_error")


def _asked(response: httpx.Response) -> float | None:
    """Seconds the platform asks us to wait: the Retry-After header, or Telegram's parameters.retry_after."""
    try:
        if "Retry-After" in response.headers:
            return float(response.headers["Retry-After"])
        return float(response.json()["parameters"]["retry_after"])
    except (ValueError, KeyError, TypeError):
        return None

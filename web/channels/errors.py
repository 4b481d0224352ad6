"""What can go wrong at a channel's door.

ChannelError
├── BadSignature    the request is not from the platform: 403, nothing is touched
├── BadPayload      it is signed, but not in the platform's shape: 400
├── Busy            the queue is full: 503, so that the platform sends again
└── Undeliverable   the platform did not take our message, after all tries
"""

from __future__ import annotations


class ChannelError(Exception):
    """Base of all errors of the channels. Messages never quote a patient or an id."""


class BadSignature(ChannelError):
    """Raised when a signature, secret token or time stamp does not hold."""


class BadPayload(ChannelError):
    """Raised when a signed body cannot be read."""


class Busy(ChannelError):
    """Raised when a lane's queue is full."""


class Undeliverable(ChannelError):
    """Raised when a message could not be delivered.

    Attributes:
        reason: Short code for logs and metrics: an HTTP status, a platform's error code, `timeout` or `connect`.

    """

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(reason)

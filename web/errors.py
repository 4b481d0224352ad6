"""What can be wrong with a request.

Refusal     a request that is not accepted; becomes a problem document (RFC 9457)
"""

from __future__ import annotations

RETRY_SOON = 2  # seconds after which what was not available may be there again
# slug: (status, title, detail)
PROBLEMS: dict[str, tuple[int, str, str]] = {
    "invalid-json": (400, "Not valid JSON", "The body must be a JSON object in UTF-8."),
    "invalid-field": (400, "A field is not valid", "See the OpenAPI document for the fields and their values."),
    "empty-text": (400, "No text", "The message has no text. Please type a question."),
    "text-too-long": (413, "Text too long", "A message may have 2,000 characters at most."),
    "body-too-large": (413, "Body too large", "A request may have 64 KB at most."),
    "unsupported-media-type": (415, "Wrong content type", "Send the body as application/json."),
    "no-such-conversation": (404, "No such conversation", "It is unknown, has expired or was deleted. Please start a new one."),
    "no-such-source": (404, "No such source", "No source has this id."),
    "no-such-reply": (404, "No such reply", "This conversation has no reply of that id."),
    "not-found": (404, "Not found", "There is nothing at this address."),
    "method-not-allowed": (405, "Method not allowed", "This address does not take that method."),
    "too-many-requests": (429, "Too many messages", "Please wait a moment, then send your message again."),
    "forbidden": (403, "Not allowed", "This address is not open to you."),
    "store-down": (503, "Not available", "Your message could not be stored. Please try again in a moment."),
    "bad-request": (400, "Bad request", "The request could not be understood."),
    "internal": (500, "Something went wrong", "Please try again in a moment."),
}


class Refusal(Exception):
    """Raised when a request is not accepted.

    Attributes:
        slug: Key of PROBLEMS; the problem's type ends in it.
        detail: More exact words than the table's, never quoting what was sent.
        retry_after: Seconds after which it may be tried again, or None.
    """

    def __init__(self, slug: str, detail: str | None = None, retry_after: int | None = None):
        self.slug = slug
        self.status, self.title, standard = PROBLEMS[slug]
        self.detail = detail or standard
        self.retry_after = RETRY_SOON if retry_after is None and self.status == 503 else retry_after
        super().__init__(slug)

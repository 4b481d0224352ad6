"""What the dialogue decided, small enough to travel through Rasa's tracker."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Kind = Literal["answer", "clarify", "abstain", "decline", "urgent", "smalltalk", "unavailable"]


@dataclass(frozen=True)
class Context:
    """What a conversation remembers; lexicon ids, a topic and statement ids, never text."""

    condition: str | None = None
    medicine: str | None = None
    route: str | None = None
    aspect: str | None = None
    last_topic: str | None = None
    last_ids: tuple[str, ...] = ()

    @classmethod
    def of(cls, slots: dict[str, Any]) -> Context:
        """Read from Rasa's slots; anything of the wrong type counts as absent."""
        names = ("condition", "medicine", "route", "aspect", "last_topic")
        ids = slots.get("last_ids") or ()
        return cls(
            **{n: v if isinstance(v := slots.get(n), str) else None for n in names},
            last_ids=tuple(i for i in ids if isinstance(i, str)) if isinstance(ids, (list, tuple)) else (),
        )


@dataclass(frozen=True)
class Decision:
    """Kind, reason and ids; `knowledge.answer` turns it into a Reply.

    Attributes:
        kind: Kind of reply.
        reason: The contract's reason, or None.
        lead: Key of the sentence in wording/replies.yml that opens the reply, or None.
        statements: (id, score) pairs, most relevant first.
        disagreement: Disagreement id, or None.
        suggestions: Topic ids to offer.
        topic: The topic the reply is about, for its clinician line.
        outside_region: True when the statements hold for another region.
        build: Hash of the build that decided.
        context: The conversation's memory after this turn.
        debug: Why, for `explain` and the debug field.

    """

    kind: Kind
    reason: str | None = None
    lead: str | None = None
    statements: tuple[tuple[str, float], ...] = ()
    disagreement: str | None = None
    suggestions: tuple[str, ...] = ()
    topic: str | None = None
    outside_region: bool = False
    build: str = ""
    context: Context = field(default_factory=Context)
    debug: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; the context travels in Rasa's slots, not here."""
        data = asdict(self)
        del data["context"]
        data["statements"] = [list(s) for s in self.statements]
        data["suggestions"] = list(self.suggestions)
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Decision:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: when it is not a decision.

        """
        try:
            debug, suggestions = data.get("debug") or {}, data.get("suggestions", ())
            if data["kind"] not in get_args(Kind) or not isinstance(debug, dict) or not isinstance(suggestions, (list, tuple)):
                raise TypeError("a field of a wrong kind")
            return cls(
                kind=data["kind"],
                reason=data.get("reason"),
                lead=data.get("lead"),
                statements=tuple((str(i), float(s)) for i, s in data.get("statements", ())),
                disagreement=data.get("disagreement"),
                suggestions=tuple(suggestions),
                topic=data.get("topic"),
                outside_region=bool(data.get("outside_region")),
                build=str(data.get("build", "")),
                debug=debug,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError("not a decision") from error

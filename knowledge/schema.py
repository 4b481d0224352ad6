"""Typed models of the curated content.

Every curator's file is read into these models. They hold what one entry must look like; rules that span entries
(links, duplicates, wording) live in `knowledge.check`.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, ValidationInfo, field_validator

Language = Literal["en", "es"]
Region = Literal["US", "CA", "GB", "IE", "AU", "ES", "EU"]
Level = Literal["high", "moderate", "low", "very_low"]
Certainty = Literal[Level, "not_graded"]
ReadAs = Literal["full_text", "abstract", "secondary"]
Display = Literal["core", "supporting", "seed_claim", "hold"]
ClaimKind = Literal[
    "effect",  # what a treatment does to people, from pooled or graded evidence
    "no_effect",  # that it makes little or no difference, from pooled or graded evidence
    "study",  # what one named study saw
    "unknown",  # that nobody knows, or that nothing measured it
    "guidance",  # what a guideline, agency or professional body advises or says
    "practice",  # what services, clinics or insurers do
    "regulatory",  # what is approved, licensed or legal, and where
    "definition",  # what a word means, what a thing is, how it is thought to act
    "fact",  # anything else that is not an effect
]
SourceKind = Literal[
    "guideline", "systematic_review", "meta_analysis", "rct", "observational", "case_series", "preclinical",
    "trial_registry", "label", "regulator", "insurer_policy", "patient_info", "lab_reference", "encyclopedia",
    "expert_opinion", "news",
]  # fmt: skip
Topic = Literal[
    "efficacy.general", "efficacy.crps", "efficacy.fibromyalgia", "efficacy.neuropathic", "efficacy.phantom_limb",
    "efficacy.spinal_cord_injury", "efficacy.migraine_headache", "efficacy.back_pain", "efficacy.cancer_pain",
    "efficacy.depression", "efficacy.ptsd_anxiety", "efficacy.opioid_reduction", "efficacy.opioid_hyperalgesia",
    "efficacy.other_nmda", "mechanism", "definition", "evidence.why_uncertain", "evidence.disagreement",
    "evidence.studies", "regulatory.approval_offlabel", "regulatory.esketamine", "regulatory.compounded_home",
    "risk.general", "risk.psychological", "risk.cardiovascular", "risk.bladder", "risk.liver", "risk.nausea",
    "risk.cognitive", "risk.addiction", "risk.longterm", "risk.overdose", "interaction.medicines",
    "interaction.alcohol_drugs", "selection.who", "selection.contraindications", "selection.psychiatric",
    "selection.pregnancy", "selection.age", "practical.what_happens", "practical.duration_sessions",
    "practical.routes", "practical.aftercare_driving", "practical.cost_insurance", "practical.monitoring_team",
    "alternatives", "talking_to_clinician", "future_research",
]  # fmt: skip
TOPICS: tuple[str, ...] = get_args(Topic)
REGIONS: tuple[str, ...] = get_args(Region)
LANGUAGES: tuple[Language, ...] = get_args(Language)
LEVELS: tuple[str, ...] = get_args(Level)

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{1,80}$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Texts = dict[Language, Text]
Phrasings = dict[Language, list[Text]]
_DOI = re.compile(r"^10\.\d{4,9}/\S+$")


class Model(BaseModel):
    """Base: unknown fields are mistakes, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rated(Model):
    """Something with a certainty, always as published: whoever states a level names who rated it."""

    certainty: Certainty = "not_graded"
    certainty_by: Text | None = Field(default=None, validate_default=True)

    @field_validator("certainty_by")
    @classmethod
    def _rater(cls, value: str | None, info: ValidationInfo) -> str | None:
        certainty = info.data.get("certainty")  # None when that field is wrong itself
        if certainty is not None and (certainty in LEVELS) != (value is not None):
            raise ValueError("certainty_by names who rated the certainty; it stands exactly when certainty is graded")
        return value


class Reviewed(Model):
    """Something that is reviewed on a day and due again on a later one."""

    last_reviewed: dt.date
    review_by: dt.date

    @field_validator("review_by")
    @classmethod
    def _later(cls, value: dt.date, info: ValidationInfo) -> dt.date:
        if value <= info.data.get("last_reviewed", dt.date.min):
            raise ValueError("review_by must lie after last_reviewed")
        return value


class Source(Model):
    """A thing that was read, once, whatever cites it."""

    id: Id
    title: Text
    authors: Text
    publisher: Text
    year: int | None = Field(default=None, ge=1950, le=2100)
    kind: SourceKind
    url: HttpUrl | None = None
    doi: str | None = None
    pmid: str | None = None
    scope: Text
    caution: Text | None = None
    region: str | None = None
    read_as: ReadAs
    read_at: Text

    @field_validator("doi")
    @classmethod
    def _doi(cls, value: str | None) -> str | None:
        if value is not None and not _DOI.match(value):
            raise ValueError("a DOI looks like 10.1234/abc, without https://doi.org/")
        return value


class FactSource(Model):
    """How one source was read for one fact, where that differs from the source's own entry."""

    id: Id
    read_as: ReadAs
    read_at: Text


class Fact(Model):
    """One evidence fact in our own words; statements rest on these."""

    id: Id
    topic: str
    display: Display
    claim: Text
    numbers: dict[str, object] = Field(default_factory=dict)
    certainty: Certainty
    certainty_by: Text | None = None
    sources: list[Id | FactSource] = Field(min_length=1)
    locator: Text | None = None
    region: str | None = None
    notes: Text | None = None
    basis: Text | None = None
    conflicts_with: list[str] = Field(default_factory=list)
    read_as: ReadAs | None = None

    def source_ids(self) -> list[str]:
        """Ids of the sources this fact was read in."""
        return [s if isinstance(s, str) else s.id for s in self.sources]


class Cited(Model):
    """A source as a statement cites it."""

    id: Id
    locator: Text


class Statement(Rated, Reviewed):
    """One claim, one certainty, its sources: the only thing the guide may say about medicine.

    `conditions`, `medicines`, `routes` and `aspects` hold ids of the lexicon. `regions` empty means everywhere.
    """

    id: Id
    topic: Topic
    text: Texts
    phrasings: Phrasings
    kind: ClaimKind
    facts: list[Id] = Field(min_length=1)
    sources: list[Cited] = Field(min_length=1)
    conditions: list[str] = Field(default_factory=list)
    medicines: list[str] = Field(default_factory=list)
    routes: list[str] = Field(default_factory=list)
    aspects: list[str] = Field(default_factory=list)
    regions: list[Region] = Field(default_factory=list)
    conflicts: list[Id] = Field(default_factory=list)
    bottom_line: bool = False

    @field_validator("text")
    @classmethod
    def _english(cls, value: Texts) -> Texts:
        if "en" not in value:
            raise ValueError("text needs an English version (text.en)")
        return value


class Position(Rated):
    """One side of a disagreement."""

    claim: Texts
    facts: list[Id] = Field(min_length=1)
    sources: list[Cited] = Field(min_length=1)


class Disagreement(Reviewed):
    """Where sources differ: what each says, how sure each is, and why they may differ."""

    id: Id
    summary: Texts
    positions: list[Position] = Field(min_length=2)
    why: Texts
    statements: list[Id] = Field(min_length=1)
    regions: list[Region] = Field(default_factory=list)


class TopicEntry(Model):
    """A topic as patients meet it: its name, its clinician line, and what to ask next."""

    id: Topic
    title: Texts
    clinician: Texts
    clinician_decline: Texts
    suggestion: Texts
    related: list[Topic] = Field(default_factory=list)


class LexiconEntry(Model):
    """A thing patients name in many ways. `names` are lower case; the first is the preferred one.

    An aspect's `question` is the English question it stands for, with the slots {medicine}, {condition} and {route}:
    it is what a follow-up ("and for how long?") is searched as.
    """

    id: Id
    names: Phrasings
    question: Text | None = None


class Lexicon(Model):
    """Words for conditions, medicines, routes and aspects, and what patients call them."""

    conditions: list[LexiconEntry]
    medicines: list[LexiconEntry]
    routes: list[LexiconEntry]
    aspects: list[LexiconEntry]


class Term(Model):
    """An unavoidable term with its plain explanation; left out of the reading grade."""

    term: Texts
    forms: Phrasings = Field(default_factory=dict)
    plain: Texts


class Signature(Model):
    """A clinician's sign-off of one text. An edit changes the hash and voids it."""

    what: Text
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    by: Text
    on: dt.date


def _every(kind: Any) -> AfterValidator:
    """A dictionary keyed by a Literal that must hold all of its values."""

    def whole(value: dict[str, Any]) -> dict[str, Any]:
        if missing := set(get_args(kind)) - set(value):
            raise ValueError(f"there is nothing for {', '.join(sorted(missing))}")
        return value

    return AfterValidator(whole)


class Verbs(Model):
    """Patterns of one certainty: one of `must` stands in the text, none of `never` does."""

    must: list[str] = Field(min_length=1)
    never: list[str]


class Never(Model):
    """A pattern that never stands in a text."""

    pattern: Text
    why: Text


class EnglishLimits(Model):
    """How hard English may be to read."""

    max_grade: float
    median_grade: float
    max_sentence_words: int
    mean_sentence_words: float


class SpanishLimits(Model):
    """How hard Spanish may be to read."""

    min_inflesz: float
    max_sentence_words: int


class Limits(Model):
    """How hard a text may be to read, by language."""

    en: EnglishLimits
    es: SpanishLimits


class Checks(Model):
    """wording/checks.yml: what `knowledge check` holds texts to."""

    certainty_verbs: Annotated[dict[Language, Annotated[dict[Level, Verbs], _every(Level)]], _every(Language)]
    never_in_a_statement: Annotated[dict[Language, list[Never]], _every(Language)]
    dose_patterns: list[str]
    dose_exceptions: list[Id]
    reading: Limits
    clinician_words: int
    near_duplicate_cosine: float

"""Every setting, typed, from environment variables with the prefix KETAMINE_GUIDE_ (see docs/settings.md)."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from knowledge.schema import Language, Region
from web.channels.settings import ChannelSettings


class SettingsError(Exception):
    """Raised when a setting is wrong; its text is one line for the person who set it."""


class Settings(ChannelSettings):
    """All settings. Times are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(env_prefix="KETAMINE_GUIDE_", env_file=".env", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address the web server binds to. Put a TLS proxy in front before binding beyond the loopback.")
    port: int = Field(8080, ge=1, le=65535, description="Port of the web server.")
    rasa_port: int = Field(5005, ge=1, le=65535, description="Loopback port of Rasa.")
    actions_port: int = Field(5055, ge=1, le=65535, description="Loopback port of the action server.")
    var: Path = Field(Path("var"), description="Folder of databases, logs and process files.")
    builds: Path = Field(Path("build"), description="Folder of knowledge builds.")
    build: Path | None = Field(None, description="Serve this build instead of the current one.")
    database_url: str | None = Field(None, description="Database of conversations and of Rasa's tracker; default: SQLite files in `var`.")
    redis_url: str | None = Field(None, description="Redis for rate limits and Rasa's locks; default: in memory, one machine.")
    region: Region = Field("US", description="Region of patients who do not say theirs: which emergency numbers are shown.")
    language: Language = Field("en", description="Language of conversations that do not say theirs.")
    clinic_name: str | None = Field(None, max_length=80, description="Clinic's name, as patients know it.")
    clinic_phone: str | None = Field(None, pattern=r"^\+?[0-9 ()-]{3,20}$", description="Clinic's phone, shown with its name.")
    clinic_hours: str | None = Field(None, max_length=80, description="Hours at which the clinic's phone is answered.")
    clinic_file: Path | None = Field(None, description="YAML file of the clinic: name, phone, hours, booking page, logo, colours (docs/clinic.example.yml).")
    kiosk_idle_seconds: float = Field(120.0, ge=20, le=3600, description="Time without a touch after which the kiosk asks whether somebody is still there.")
    kiosk_warning_seconds: float = Field(60.0, ge=20, le=600, description="Time the kiosk then waits before it clears itself; WCAG 2.2.1 asks for 20 at least.")
    kiosk_staff_pin: SecretStr | None = Field(None, description="PIN, digits only, with which staff leave the kiosk; without it there is no such button.")
    rasa_timeout: float = Field(3.0, gt=0, le=30, description="Longest wait for the dialogue before the reply is `unavailable`.")
    threads: int = Field(80, ge=4, le=512, description="Threads of one web worker; at most half of them wait for the dialogue.")
    workers: int = Field(1, ge=1, le=16, description="Web worker processes.")
    expire_hours: float = Field(24.0, gt=0, le=24 * 30, description="Hours after its last message at which a conversation is deleted.")
    rate_limits: Literal["on", "off"] = Field("on", description="`off` is for tests on the loopback only.")
    rate_address: str = Field("60/minute;600/hour", description="Messages one address may send.")
    rate_conversation: str = Field("20/minute;200/hour", description="Messages one conversation may send.")
    proxies: int = Field(0, ge=0, le=5, description="Trusted reverse proxies in front (X-Forwarded-For entries to trust).")
    paused: bool = Field(False, description="Pause the guide: every reply is `unavailable` with contacts, urgent ones excepted.")
    pause_file: Path | None = Field(None, description="While this file exists the guide is paused; default: `var`/paused.")
    metrics_token: SecretStr | None = Field(None, description="Bearer token for /metrics; without it only the loopback may read it.")
    frame_ancestors: str = Field("'self'", pattern=r"^('self'|'none'|https?://[a-z0-9.:*-]+)( https?://[a-z0-9.:*-]+)*$", description="Sites that may embed the chat, as in CSP frame-ancestors.")  # fmt: skip
    keep_comments: bool = Field(False, description="Offer a comment box with feedback, with a notice that the clinic keeps the comment.")
    keep_unanswered: bool = Field(False, description="Keep questions of the web page that no statement answers, scrubbed; `/privacy` then says so.")
    keep_days: float = Field(90.0, gt=0, le=365, description="Days for which comments and unanswered questions are kept, where they are kept at all.")
    require_signed: bool = Field(False, description="Show only what a clinician has signed as it stands; refuse to start while urgent wording, safety rules or clinician lines are unsigned.")  # fmt: skip
    debug_replies: bool = Field(False, description="Add a `debug` field to replies that says why; never for patients.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    @model_validator(mode="after")
    def _sane(self) -> Settings:
        if self.rate_limits == "off" and not _loopback(self.host):
            raise ValueError("rate_limits=off is refused with a public bind address")
        if len({self.port, self.rasa_port, self.actions_port}) < 3:
            raise ValueError("port, rasa_port and actions_port must differ")
        return self

    @property
    def web_database(self) -> str:
        """SQLAlchemy URL of the web server's own tables."""
        return self.database_url or f"sqlite:///{(self.var / 'guide.db').resolve()}"

    @property
    def rasa_database(self) -> str:
        """SQLAlchemy URL of Rasa's tracker store: its own file on SQLite, the same database elsewhere."""
        return self.database_url or f"sqlite:///{(self.var / 'rasa.db').resolve()}"

    @property
    def is_paused(self) -> bool:
        """Whether the kill switch is on now, by setting or by file."""
        return self.paused or (self.pause_file or self.var / "paused").exists()

    @property
    def rasa_url(self) -> str:
        """Rasa's REST channel."""
        return f"http://127.0.0.1:{self.rasa_port}/webhooks/rest/webhook"

    @property
    def internal_token_file(self) -> Path:
        """Where the token of the internal ports lies; made anew at each start."""
        return self.var / "run" / "token"

    def build_folder(self) -> Path:
        """The build to serve.

        Raises:
            BuildMissing: when there is none.
        """
        from knowledge.build import current

        return self.build.resolve() if self.build else current(self.builds)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once.

    Raises:
        SettingsError: with the variable, what is wrong and its value left out.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for e in error.errors(include_input=False, include_url=False):
            name = "KETAMINE_GUIDE_" + "_".join(str(p) for p in e["loc"]).upper() if e["loc"] else "settings"
            lines.append(f"{name}: {e['msg'].removeprefix('Value error, ')}")
        raise SettingsError("; ".join(lines)) from None

"""Start all processes under supervisor, wait until they are ready, print the address; Ctrl-C stops all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from knowledge import door
from knowledge.build import sha256
from knowledge.errors import BuildMissing
from web.clinic import Clinic
from web.settings import Settings, SettingsError, settings
from web.store import engine_for

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN = 180


def free(host: str, port: int) -> bool:
    """Whether nothing listens on a port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((host, port))
        except OSError:
            return False
    return True


def migrate(config: Settings) -> None:
    """Bring the web server's tables up to date, and set Rasa's file to write-ahead logging."""
    alembic = Config()
    alembic.set_main_option("script_location", str(ROOT / "web" / "migrations"))
    command.upgrade(alembic, "head")
    if config.rasa_database.startswith("sqlite"):
        with engine_for(config.rasa_database).connect() as db:
            db.execute(sa.text("SELECT 1"))


def endpoints(config: Settings) -> str:
    """Rasa's endpoints file: tracker store, lock store and action server with its token, from our settings."""
    url = sa.engine.make_url(config.rasa_database)
    lines = ["tracker_store:", "  type: bot.store.TrackerStore", f"  dialect: {url.get_backend_name()}"]
    if url.get_backend_name() == "sqlite":
        lines.append(f"  db: {url.database}")
    else:
        values = {"url": url.host, "port": url.port, "db": url.database, "username": url.username, "password": url.password}
        lines += [f"  {k}: {json.dumps(v)}" for k, v in values.items() if v is not None]
    if config.redis_url:
        redis = sa.engine.make_url(config.redis_url)
        lines += ["lock_store:", "  type: redis", f"  url: {redis.host}", f"  port: {redis.port or 6379}", f"  db: {redis.database or 0}"]
        if redis.password:
            lines.append(f"  password: {json.dumps(redis.password)}")
    lines += ["action_endpoint:", f"  url: http://127.0.0.1:{config.actions_port}/webhook"]
    lines += ["  headers:", f"    {door.HEADER}: {door.credentials(config.internal_token_file)}"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Program:
    """A process under supervisor.

    Attributes:
        name: What supervisorctl and its log call it.
        command: Its command line.
        environment: Variables beside those that all have.
        options: More of supervisor's options (`user`, `stopsignal` …).
    """

    name: str
    command: str
    environment: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)


def rasa_command(build: Path, endpoints_file: Path, port: int) -> str:
    """Rasa with its REST channel on the loopback."""
    return (
        f"{ROOT / '.venv-bot/bin/python'} -m bot run --model {build / 'rasa' / 'model.tar.gz'} --endpoints {endpoints_file} --interface 127.0.0.1 "
        f"--port {port} --connector rest --response-timeout 10"
    )


def shared_environment(config: Settings, build: Path) -> dict[str, str]:
    """What all processes find in their environment."""
    return {
        "KETAMINE_GUIDE_BUILD": str(build),
        door.FILE_VARIABLE: str(config.internal_token_file.resolve()),
        # the action server reads these two from its environment, and they may stand in the file .env only
        "KETAMINE_GUIDE_REQUIRE_SIGNED": str(config.require_signed).lower(),
        "KETAMINE_GUIDE_DEBUG_REPLIES": str(config.debug_replies).lower(),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "RASA_TELEMETRY_ENABLED": "false",
        "SANIC_HOST": "127.0.0.1",
        # told to stop, Rasa and the action server wait so long for kept connections; nobody waits longer for a reply than 3 s
        "SANIC_GRACEFUL_SHUTDOWN_TIMEOUT": "5.0",
        "LOG_LEVEL": "WARNING",
        "LOG_LEVEL_LIBRARIES": "ERROR",
        # Rasa's lock on a conversation, where it lives in Redis, outlives a Rasa that was killed: by no more than a turn lasts
        "TICKET_LOCK_LIFETIME": "10",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }


def programs(config: Settings, build: Path) -> list[Program]:
    """The three processes. Each restarts when it dies; the others stay up."""
    app, run = ROOT / ".venv/bin/python", config.var.resolve() / "run"
    metrics = {}
    if config.workers > 1:
        metrics = {"PROMETHEUS_MULTIPROC_DIR": str(metrics_folder(run / "metrics"))}
    return [
        Program("actions", f"{app} -m actions --port {config.actions_port}"),
        Program("rasa", rasa_command(build, run / "endpoints.yml", config.rasa_port)),
        Program("web", f"{app} -m gunicorn --config web/gunicorn.conf.py web.wsgi:app", metrics),
    ]


def metrics_folder(folder: Path) -> Path:
    """An empty folder in which the workers of one web server add up their metrics."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def supervisor_config(started: list[Program], run: Path, logs: Path, shared: dict[str, str]) -> str:
    """Supervisor's file: every program restarts whenever it ends.

    Args:
        started: The programs.
        run: Folder of its socket and process id.
        logs: Folder of the programs' output.
        shared: Environment that all have.
    """
    text = (
        f"[supervisord]\nnodaemon=true\nlogfile={logs / 'supervisor.log'}\npidfile={run / 'supervisor.pid'}\nloglevel=warn\nsilent=true\n"
        f"[unix_http_server]\nfile={run / 'supervisor.sock'}\nchmod=0600\n"
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        f"[supervisorctl]\nserverurl=unix://{run / 'supervisor.sock'}\n"
    )
    for program in started:
        environment = ",".join(f'{k}="{v.replace("%", "%%")}"' for k, v in {**shared, **program.environment}.items())
        options = {"stopasgroup": "true", "killasgroup": "true", "stopwaitsecs": "12", **program.options}
        text += (
            f"[program:{program.name}]\ncommand={program.command}\ndirectory={ROOT}\nenvironment={environment}\nautorestart=true\nstartretries=1000000\n"
            f"startsecs=2\nredirect_stderr=true\nstdout_logfile={logs / (program.name + '.log')}\n"
            "stdout_logfile_maxbytes=10MB\nstdout_logfile_backups=2\n" + "".join(f"{k}={v}\n" for k, v in options.items())
        )
    return text


def wait_ready(url: str, process: subprocess.Popen[bytes], within: float = READY_WITHIN) -> bool:
    """Wait until /readyz says ready, for so many seconds."""
    deadline = time.monotonic() + within
    last = ""
    while time.monotonic() < deadline and process.poll() is None:
        try:
            state = httpx.get(f"{url}/readyz", timeout=10, trust_env=False).json()
            if state["status"] == "ready":
                return True
            last = ", ".join(f"{n} {p['state']}" for n, p in state["parts"].items())
        except (httpx.HTTPError, ValueError, KeyError):
            pass
        time.sleep(0.3)
    print(f"error: not ready after {within:.0f} s ({last or 'the web server does not answer'}); see the logs", file=sys.stderr)
    return False


def usable(build: Path) -> bool:
    """Whether a build has the dialogue that was trained here; says what is wrong."""
    model = build / "rasa" / "model.tar.gz"
    if not model.is_file():
        print(f"error: build {build.name} has no trained dialogue: run `make build`", file=sys.stderr)
        return False
    if sha256(model) != (build / "rasa" / "sha256").read_text("utf-8").strip():
        # Rasa unpacks and runs what is in it (CVE-2024-49375): only what was trained here is ever loaded
        print(f"error: the dialogue model of build {build.name} was altered: run `make clean build`", file=sys.stderr)
        return False
    return True


def main() -> int:
    """Entry point; returns the exit code."""
    started = time.monotonic()
    try:
        config = settings()
        Clinic.of(config)
        build = config.build_folder().resolve()
    except (SettingsError, BuildMissing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not usable(build):
        return 1
    for name, host, port in (("port", config.host, config.port), ("rasa_port", "127.0.0.1", config.rasa_port), ("actions_port", "127.0.0.1", config.actions_port)):
        if not free(host, port):
            print(f"error: port {port} is in use; set KETAMINE_GUIDE_{name.upper()} to another", file=sys.stderr)
            return 1
    run = config.var / "run"
    for folder in (run, config.var / "log"):
        folder.mkdir(parents=True, exist_ok=True)
    config.var.chmod(0o700)
    if config.require_signed:
        from web.parts import Parts

        try:
            Parts.from_settings(config)
        except SettingsError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    migrate(config)
    door.make(config.internal_token_file)
    door.write_private(run / "endpoints.yml", endpoints(config))
    text = supervisor_config(programs(config, build), run, config.var.resolve() / "log", shared_environment(config, build))
    (run / "supervisor.conf").write_text(text, "utf-8")
    (config.var / "dialogue.build").write_text(build.name, "utf-8")
    process = subprocess.Popen([sys.executable, "-m", "supervisor.supervisord", "-c", str(run / "supervisor.conf")], cwd=ROOT, start_new_session=True, env=os.environ)  # noqa: S603

    def stop(*_: object) -> None:
        process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host  # noqa: S104
    url = f"http://{host}:{config.port}"
    if not wait_ready(url, process):
        process.terminate()
        process.wait()
        return 1
    print(f"Ketamine Guide is ready after {time.monotonic() - started:.0f} s: {url}   (Ctrl-C stops it)", flush=True)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())

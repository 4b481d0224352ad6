"""Everything a hospital group would spread over machines, on one: PostgreSQL, Redis, two of each of our processes, nginx in front.

`python -m tools.cluster` (make serve-cluster) starts it; Ctrl-C stops it. All of it listens on the loopback. Its data are
thrown away at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from knowledge import door
from knowledge.answer import Answerer, Setting, Wording
from knowledge.contacts import Contacts
from knowledge.content import Content
from knowledge.errors import BuildMissing
from tools.postgres import Postgres, account, binaries
from tools.running import Server, free_port
from tools.serve import ROOT, Program, endpoints, metrics_folder, migrate, rasa_command, shared_environment, supervisor_config, usable, wait_ready
from web.clinic import Clinic
from web.errors import Refusal
from web.problems import document
from web.settings import Settings, SettingsError, settings

READY_WITHIN = 400.0  # seconds: two Rasas start at the same time
NGINX = ROOT / "docs" / "deploy" / "nginx-cluster.conf"
TWICE = ("actions", "rasa", "web")
PARTS = ("postgres", "redis", *(f"{name}-{n}" for name in TWICE for n in (1, 2)), "nginx")


class Missing(Exception):
    """Raised when a program of Debian's is not installed."""


@dataclass
class Cluster(Server):
    """The running cluster.

    Attributes:
        programs: What supervisor runs, by name.
        shared: Environment that all of them have.
        database: Its PostgreSQL.
    """

    programs: dict[str, Program]
    shared: dict[str, str]
    database: Postgres

    @property
    def build(self) -> Path:
        """What it was started with."""
        return Path(self.shared["KETAMINE_GUIDE_BUILD"])

    def upgrade(self, name: str, build: Path) -> None:
        """Stop one of our processes as an administrator does (SIGTERM), and start it with another build."""
        old = self.programs[name]
        command = old.command.replace(str(self.build), str(build))
        self.programs[name] = replace(old, command=command, environment={**old.environment, "KETAMINE_GUIDE_BUILD": str(build)})
        file = configure(self.var, self.programs, self.shared)
        control = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(file), "update", name]
        subprocess.run(control, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603


def configure(folder: Path, programs: dict[str, Program], shared: dict[str, str]) -> Path:
    """Write supervisor's file; returns it."""
    file = folder / "run" / "supervisor.conf"
    door.write_private(file, supervisor_config(list(programs.values()), folder / "run", folder / "log", shared))
    return file


def missing() -> list[str]:
    """Debian packages that are not there."""
    found = {"postgresql": binaries(), "redis-server": shutil.which("redis-server"), "nginx": nginx()}
    return [name for name, where in found.items() if where is None]


def nginx() -> str | None:
    """nginx; Debian keeps it out of the PATH of ordinary users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")


def problems(config: Settings, build: Path, folder: Path) -> None:
    """Write what nginx says when no web server answers: the same problem documents, with the clinic's contacts."""
    root = build / "content"
    content = Content.from_json((build / "content.json").read_text("utf-8"))
    answerer = Answerer(content, Wording(root), Contacts.load(root / "crisis" / "contacts.yml"), build.name)
    clinic = Clinic.of(config)
    default = Setting(clinic.language, clinic.region, clinic.contact())
    for refusal in (Refusal("store-down"), Refusal("body-too-large")):
        (folder / f"problem-{refusal.status}.json").write_text(json.dumps(document(refusal, answerer, default)), "utf-8")


def prepare(
    config: Settings, build: Path, folder: Path, port: int, limits: str
) -> tuple[list[Program], dict[str, str], dict[str, int], Postgres]:
    """Make the databases and write every configuration; returns the programs, what all have in their environment, ports, database."""
    folder.chmod(0o711)  # noqa: S103  (PostgreSQL and nginx run as others, who must get in to the folders that are theirs)
    run, served = folder / "run", folder / "nginx"
    for part in (run, folder / "log", folder / "var", folder / "redis"):
        part.mkdir(mode=0o700)
    served.mkdir(mode=0o755)
    ports = {name: free_port() for name in ("redis", "postgres", "rasa", "actions", *(f"{n}_{i}" for n in TWICE for i in (1, 2)))} | {"port": port}
    database = Postgres.create(folder / "postgres", ports["postgres"])
    word = secrets.token_hex(16)
    redis = run / "redis.conf"
    redis.write_text(f'bind 127.0.0.1\nport {ports["redis"]}\nrequirepass {word}\nsave ""\nappendonly no\ndir {folder / "redis"}\n', "utf-8")
    redis.chmod(0o600)
    config = config.model_copy(
        update={
            "var": folder / "var", "database_url": database.url, "redis_url": f"redis://:{word}@127.0.0.1:{ports['redis']}/0",
            "rasa_port": ports["rasa"], "actions_port": ports["actions"], "port": ports["web_1"],
        }
    )  # fmt: skip
    problems(config, build, served)
    text = NGINX.read_text("utf-8").replace("@folder@", str(served))
    for name, number in ports.items():
        text = text.replace(f"@{name}@", str(number))
    (served / "nginx.conf").write_text(text, "utf-8")
    config.internal_token_file.parent.mkdir(parents=True, exist_ok=True)
    door.make(config.internal_token_file)
    door.write_private(run / "endpoints.yml", endpoints(config))
    (folder / "var" / "dialogue.build").write_text(build.name, "utf-8")
    shared = shared_environment(config, build) | {
        "KETAMINE_GUIDE_DATABASE_URL": str(config.database_url), "KETAMINE_GUIDE_REDIS_URL": str(config.redis_url), "KETAMINE_GUIDE_VAR": str(config.var),
        "KETAMINE_GUIDE_RASA_PORT": str(ports["rasa"]), "KETAMINE_GUIDE_ACTIONS_PORT": str(ports["actions"]), "KETAMINE_GUIDE_PROXIES": "1",
        "KETAMINE_GUIDE_HOST": "127.0.0.1", "KETAMINE_GUIDE_RATE_LIMITS": limits,
    }  # fmt: skip
    database.start()
    try:
        database.empty()
        os.environ.update({k: v for k, v in shared.items() if k.startswith("KETAMINE_GUIDE_")})
        settings.cache_clear()
        migrate(config)
    finally:
        database.stop()
    app = ROOT / ".venv/bin/python"
    alone = {"stopasgroup": "false", "startsecs": "0"}
    programs = [
        Program("postgres", " ".join(database.command()), {}, {**alone, "stopsignal": "INT", "priority": "1"} | ({"user": user} if (user := account()) else {})),
        Program("redis", f"redis-server {redis}", {}, {**alone, "priority": "1"}),
    ]
    for n in (1, 2):
        programs += [
            Program(f"actions-{n}", f"{app} -m actions --port {ports[f'actions_{n}']}"),
            Program(f"rasa-{n}", rasa_command(build, run / "endpoints.yml", ports[f"rasa_{n}"])),
            Program(
                f"web-{n}", f"{app} -m gunicorn --config web/gunicorn.conf.py web.wsgi:app",
                {"KETAMINE_GUIDE_PORT": str(ports[f"web_{n}"]), "PROMETHEUS_MULTIPROC_DIR": str(metrics_folder(run / f"metrics-{n}"))},
            ),
        ]  # fmt: skip
    programs.append(Program("nginx", f"{nginx()} -e stderr -p {served} -c {served / 'nginx.conf'} -g 'daemon off;'", {}, alone))
    return programs, shared, ports, database


@contextmanager
def cluster(port: int | None = None, limits: str = "off") -> Iterator[Cluster]:
    """The cluster, ready; stopped and its data thrown away at the end.

    Args:
        port: nginx's; a free one when None.
        limits: The setting `rate_limits`; off for tests.

    Raises:
        Missing: naming the Debian packages that are not installed.
        RuntimeError: when it does not become ready, or the build cannot be served.
    """
    if packages := missing():
        raise Missing(f"not installed: {', '.join(packages)} (apt-get install {' '.join(packages)})")
    config = settings()
    build = config.build_folder().resolve()
    if not usable(build):
        raise RuntimeError("the build cannot be served")
    folder = Path(tempfile.mkdtemp(prefix="guide-cluster-"))
    try:
        listed, shared, ports, database = prepare(config, build, folder, port or free_port(), limits)
        programs = {p.name: p for p in listed}
        file = configure(folder, programs, shared)
        process = subprocess.Popen([sys.executable, "-m", "supervisor.supervisord", "-c", str(file)], cwd=ROOT, start_new_session=True)  # noqa: S603
        try:
            server = Cluster(f"http://127.0.0.1:{ports['port']}", folder, ports, process, programs, shared, database)
            both = all(wait_ready(f"http://127.0.0.1:{ports[name]}", process, READY_WITHIN) for name in ("web_1", "web_2", "port"))
            if not both:
                raise RuntimeError("the cluster is not ready:\n" + server.logs()[-3000:])
            for n in (1, 2):
                wait_listening(server, f"rasa_{n}")
                wait_listening(server, f"actions_{n}")
            yield server
        finally:
            process.terminate()
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end_on_signals() -> None:
    """Let SIGTERM end the program as Ctrl-C does, so that what it started is stopped; a shell's background job ignores Ctrl-C otherwise."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for what in (signal.SIGTERM, signal.SIGINT):
        signal.signal(what, stop)


def wait_listening(server: Server, name: str, seconds: float = 120) -> None:
    """Until a process of ours takes connections."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", server.ports[name]), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not listen") from None
            time.sleep(0.3)


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster", description="Two of everything, PostgreSQL, Redis and nginx, on the loopback.")
    parser.add_argument("--port", type=int, help="nginx's port; a free one when not given")
    started = time.monotonic()
    end_on_signals()
    try:
        with cluster(parser.parse_args().port, settings().rate_limits) as server:
            print(f"Ketamine Guide is ready after {time.monotonic() - started:.0f} s: {server.url}   (Ctrl-C stops all of it and throws its data away)")
            for name in PARTS:
                port = server.ports.get("port" if name == "nginx" else name.replace("-", "_"))
                print(f"  {name:<10} 127.0.0.1:{port}", flush=True)
            server.process.wait()
    except KeyboardInterrupt:
        return 0
    except (Missing, RuntimeError, SettingsError, BuildMissing) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""The sample configurations: the programs they are for take them, and the proxy writes no conversation id."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.cluster import nginx
from web.openapi import document

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy"
NGINX = (DEPLOY / "nginx.conf").read_text("utf-8")
ID = "Zebra-0123456789abcdefghijklmnop"


def logged(path: str) -> str:
    """What the map writes for a path."""
    body = re.search(r"map \$uri \$guide_route \{(.*?)\n\}", NGINX, re.DOTALL)
    assert body
    for line in body.group(1).strip().splitlines():
        pattern, value = line.strip().rstrip(";").split()
        if pattern.startswith("~") and re.search(pattern[1:], path):
            return path if value == "$uri" else value.strip('"')
    return "other"


@pytest.mark.parametrize("path", [*document()["paths"], "/api/conversations/{conversation_id}/", "/api/conversations/{conversation_id}/x/y", "//api/conversations/{conversation_id}"])
def test_no_route_is_logged_with_an_id(path: str) -> None:
    assert "Zebra" not in logged(re.sub(r"\{\w+\}", ID, path))


def test_the_log_has_no_variable_that_could_hold_a_path_an_address_or_a_referrer() -> None:
    written = re.search(r"log_format guide '(.*?)';", NGINX)
    assert written
    assert set(re.findall(r"\$\w+", written.group(1))) == {
        "$time_iso8601", "$request_method", "$guide_route", "$status", "$body_bytes_sent", "$request_time", "$upstream_response_time",
    }  # fmt: skip
    assert re.findall(r"error_log \S+ (\w+);", NGINX) == ["crit"]


def test_the_proxy_bounds_what_one_address_may_do() -> None:
    """Urgent messages pass the guide's own limits; floods that no person types end here."""
    for setting in (r"limit_conn guide_connections \d+;", r"limit_req zone=guide_requests burst=\d+ nodelay;", r"client_header_timeout \d+s;", r"client_body_timeout \d+s;"):
        assert re.search(setting, NGINX)


def test_nginx_takes_the_sample(tmp_path: Path) -> None:
    program, openssl = nginx(), shutil.which("openssl")
    if program is None or openssl is None:
        pytest.skip("nginx or openssl is not installed")
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=guide.example.org", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    text = NGINX.replace("/etc/ssl/guide.example.org/", f"{tmp_path}/").replace("/var/log/nginx/", f"{tmp_path}/")
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{text}\n}}\n", "utf-8")
    said = subprocess.run([program, "-e", "stderr", "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"], capture_output=True, text=True)
    assert said.returncode == 0 and "test is successful" in said.stderr, said.stderr


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify`, with a program that exists in place of the guide's."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not installed")
    units = []
    for path in sorted(DEPLOY.glob("*.service")) + sorted(DEPLOY.glob("*.timer")):
        (tmp_path / path.name).write_text(path.read_text("utf-8").replace("/opt/ketamine-guide/.venv/bin/python", "/bin/true"), "utf-8")
        units.append(tmp_path / path.name)
    said = subprocess.run([analyze, "verify", "--recursive-errors=no", *units], capture_output=True, text=True)
    ours = [line for line in said.stderr.splitlines() if "ketamine-guide" in line]
    assert said.returncode == 0 and ours == [], said.stderr


def test_the_sandbox_leaves_what_the_processes_need() -> None:
    """Both were tried: Rasa's encoder ends the process without /proc/cpuinfo, TensorFlow without writable code."""
    settings = [line for line in (DEPLOY / "ketamine-guide.service").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert not [line for line in settings if line.startswith(("ProcSubset=", "MemoryDenyWriteExecute="))]

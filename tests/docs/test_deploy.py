"""The sample configuration of the proxy writes no conversation id."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from web.openapi import document

NGINX = (Path(__file__).resolve().parents[2] / "docs" / "deploy" / "nginx.conf").read_text("utf-8")
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

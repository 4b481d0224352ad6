"""What is counted, in one process and in several, and that the documents name what there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from flask import Flask, g
from prometheus_client.parser import text_string_to_metric_families

from web.app import _begin
from web.metrics import Metrics

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy"
NAMES = {m.name for m in Metrics("0" * 12).registry.collect() if m.name.startswith("guide_")}
SAMPLE = re.compile(r"\bguide_[a-z_]+")


@pytest.mark.parametrize(("proxies", "sent", "taken"), [(1, "0123456789abcdef0123", True), (0, "0123456789abcdef0123", False), (1, "a patient's words", False)])
def test_a_proxy_of_ours_names_the_request(proxies: int, sent: str, taken: bool) -> None:
    app = Flask(__name__)
    app.extensions["guide"] = SimpleNamespace(settings=SimpleNamespace(proxies=proxies))
    with app.test_request_context(headers={"X-Request-Id": sent}):
        _begin()
        assert (g.request_id == sent) is taken and len(g.request_id) >= 16


def values(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in text_string_to_metric_families(text) for s in f.samples}


def test_counts_and_times_are_given_as_text() -> None:
    metrics = Metrics("abc")
    metrics.count("reply", channel="web", kind="abstain")
    metrics.count("refusal", problem="store-down")
    metrics.error("store")
    with metrics.stage("rules"):
        pass
    found = values(metrics.text().decode())
    assert found["guide_replies_total", (("channel", "web"), ("kind", "abstain"))] == 1
    assert found["guide_refusals_total", (("problem", "store-down"),)] == 1
    assert found["guide_stage_errors_total", (("stage", "store"),)] == 1
    assert found["guide_stage_seconds_count", (("stage", "rules"),)] == 1
    assert found["guide_build_info", (("hash", "abc"),)] == 1
    assert found["process_resident_memory_bytes", ()] > 1e6


def test_workers_that_share_a_folder_add_up(tmp_path: Path) -> None:
    script = "from web.metrics import Metrics; m = Metrics('abc'); m.count('reply', channel='web', kind='answer'); print(m.text().decode())"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(DEPLOY.parents[1])}
    for n in (1, 2):
        said = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True).stdout
        assert values(said)["guide_replies_total", (("channel", "web"), ("kind", "answer"))] == n


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_metric_is_documented(name: str) -> None:
    assert re.search(rf"`{name}(_total)?`", (DEPLOY / "metrics.md").read_text("utf-8"))


def expressions() -> dict[str, str]:
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))["panels"]
    return {r["alert"]: r["expr"] for r in rules} | {p["title"]: t["expr"] for p in panels for t in p["targets"]}


def test_alerts_and_dashboard_ask_for_metrics_that_exist() -> None:
    for name, expression in expressions().items():
        for used in SAMPLE.findall(expression):
            assert re.sub(r"_(total|bucket|count|sum)$", "", used) in NAMES, (name, used)
        assert expression.count("(") == expression.count(")"), name


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(expressions().values())
    assert [n for n in NAMES if n not in shown] == []


def test_every_alert_is_explained() -> None:
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
    assert [r["alert"] for r in rules if r["alert"] not in (DEPLOY / "metrics.md").read_text("utf-8")] == []

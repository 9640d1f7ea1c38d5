"""What lies in ``deploy`` speaks of settings, commands, ports, paths and metrics that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric

from services.amqp.meters import Meters as AmqpMeters
from services.announcer.meters import Meters as AnnouncerMeters
from services.cli.app import COMMANDS
from services.http.operations import Operations, routes
from services.metrics import Metrics
from services.settings import Settings, variable_of

PROJECT = Path(__file__).parents[3]
DEPLOY = PROJECT / "deploy"
CONTAINERS = ("Dockerfile", "compose.yaml", "chart/values.yaml", "chart/templates/_pod.tpl")
MONITORING = ("monitoring/dashboard.json", "monitoring/alerts.yaml")
ONLY_IN_COMPOSE = {"TWINLOG_DATABASE_PASSWORD", "TWINLOG_BROKER_PASSWORD"}
SAMPLES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def deployed(name: str) -> str:
    return (DEPLOY / name).read_text()


def families() -> Iterator[Metric]:
    metrics = Metrics()
    AmqpMeters(metrics)
    AnnouncerMeters(metrics)
    yield from metrics.registry.collect()


def test_every_variable_that_is_deployed_is_a_setting() -> None:
    settings = {variable_of(name) for name in Settings.model_fields}
    texts = [re.sub(r"^ *#.*", "", deployed(name), flags=re.MULTILINE) for name in CONTAINERS]
    named = {variable for text in texts for variable in re.findall(r"TWINLOG_[A-Z_]+[A-Z]", text)}
    assert named >= {"TWINLOG_DATABASE_URL", "TWINLOG_AMQP_URL", "TWINLOG_HOME"}
    assert named - ONLY_IN_COMPOSE <= settings


def test_the_chart_takes_from_the_secret_what_it_says_and_every_key_is_a_setting() -> None:
    variables = re.search(r"dict ((?:\"[\w-]+\" ?)+)", deployed("chart/templates/_pod.tpl"))
    assert variables
    names = re.findall(r'"([\w-]+)"', variables[1])
    told = re.search(r"secret with the keys (.*?)\n# \(", deployed("chart/values.yaml"))
    assert told
    assert set(re.findall(r"[a-z]+(?:-[a-z]+)+", told[1])) == set(names[1::2])
    for setting, key in zip(names[::2], names[1::2], strict=True):
        assert setting.lower() in Settings.model_fields
        assert key == setting.lower().replace("_", "-")


def test_a_proxy_in_front_can_be_named_wherever_the_service_is_deployed() -> None:
    for name in ("compose.yaml", "chart/templates/_pod.tpl", "README.md"):
        assert "TWINLOG_TRUSTED_PROXIES" in deployed(name)
    assert re.search(r"^trustedProxies:", deployed("chart/values.yaml"), flags=re.MULTILINE)


def test_replicas_share_the_key_of_their_cursors() -> None:
    assert "SEARCH_CURSOR_KEY" in deployed("chart/templates/_pod.tpl")


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "chart/values.yaml", "chart/templates/service.yaml"])
def test_the_port_is_the_one_the_service_listens_on(name: str) -> None:
    ports = re.findall(r"(?:EXPOSE |127\.0\.0\.1:|containerPort: |port: )(\d+)", deployed(name))
    assert set(ports) == {str(Settings.model_fields["http_port"].default)}


def test_probes_ask_routes_that_need_no_credentials() -> None:
    open_paths = {route.path for route in routes(Operations(version="", checks={})) if route.access == "open"}
    asked = re.findall(r"path: (/\w+)", deployed("chart/templates/service.yaml"))
    asked += re.findall(r"8080(/\w+)", deployed("Dockerfile"))
    assert len(asked) == 3
    assert set(asked) <= open_paths


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("Dockerfile", r'CMD \["(\w+)"\]'),
        ("compose.yaml", r"command: \[(\w+)\]"),
        ("chart/templates/service.yaml", r"args: \[(\w+)\]"),
        ("chart/templates/migrate.yaml", r"args: \[(\w+)\]"),
    ],
)
def test_containers_run_commands_of_the_program(name: str, pattern: str) -> None:
    commands = re.findall(pattern, deployed(name))
    assert commands
    assert set(commands) <= set(COMMANDS)


def test_containers_stop_later_than_the_service_does() -> None:
    longest = float(Settings.model_fields["shutdown_seconds"].default)
    for name, pattern in (
        ("compose.yaml", r"stop_grace_period: (\d+)s"),
        ("chart/templates/service.yaml", r"terminationGracePeriodSeconds: (\d+)"),
    ):
        (seconds,) = re.findall(pattern, deployed(name))
        assert float(seconds) > longest


@pytest.mark.parametrize("name", MONITORING)
def test_what_is_watched_is_measured(name: str) -> None:
    measured = {family.name + ending for family in families() for ending in SAMPLES[family.type]}
    watched = set(re.findall(r"\btwinlog_\w+", deployed(name)))
    assert watched
    assert watched <= measured


def test_the_dashboard_shows_everything_that_is_measured() -> None:
    shown = set(re.findall(r"\btwinlog_\w+", deployed("monitoring/dashboard.json")))
    for family in families():
        assert shown & {family.name + ending for ending in SAMPLES[family.type]}, family.name


def test_a_panel_has_a_place_of_its_own_and_says_what_it_shows() -> None:
    panels = json.loads(deployed("monitoring/dashboard.json"))["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels) == len({panel["id"] for panel in panels})
    assert all(panel["title"] and panel["description"] for panel in panels)


def test_the_readme_names_every_metric_and_no_other() -> None:
    told = set(re.findall(r"`(twinlog_\w+)`", deployed("README.md")))
    assert told == {family.name + ("_total" if family.type == "counter" else "") for family in families()}

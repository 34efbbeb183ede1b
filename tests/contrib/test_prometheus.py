"""The alerts and the dashboard fit the metrics that the daemon has, and the manual says what to do at each alert."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programs import promtool
from tests.reference.metrics import registry

_ROOT = Path(__file__).parents[2]
_RULES = _ROOT / "contrib" / "prometheus" / "quackbridge.rules.yml"
_RULE_TESTS = _ROOT / "contrib" / "prometheus" / "quackbridge.rules.test.yml"
_DASHBOARD = _ROOT / "contrib" / "grafana" / "quackbridge.json"
_MANUAL = _ROOT / "docs" / "how-to" / "prometheus.md"

pytestmark = pytest.mark.real_time

_NAME = re.compile(r"\b(?:quackbridge|process|python)_\w+")
_SELECTOR = re.compile(r"(\b(?:quackbridge|process|python)_\w+)\{([^}]*)\}")
_BY = re.compile(r"\bby \(([^)]*)\)")
_OF_PROMETHEUS = {"job", "instance"}
"""Labels that Prometheus adds."""


def _labels() -> Mapping[str, set[str]]:
    """The labels of each series that the daemon shows."""
    found: dict[str, set[str]] = {}
    for metric in registry().collect():
        for sample in metric.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _values() -> Mapping[str, set[str]]:
    """The values of the labels that are enums of ours."""
    found: dict[str, set[str]] = {}
    for metric in registry().collect():
        for sample in metric.samples:
            for label in sample.labels.keys() & {"outcome", "kind", "reason", "state"}:
                found.setdefault(f"{sample.name} {label}", set()).add(sample.labels[label])
    return found


def _rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(_RULES.read_text())["groups"]
    return list(group["rules"])


def _dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_DASHBOARD.read_text())
    return found


def _targets() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each query of the dashboard, with the title of its panel."""
    for panel in _dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target


def _queries() -> list[str]:
    variables = [each.get("definition", "") for each in _dashboard()["templating"]["list"]]
    notes = [each.get("expr", "") for each in _dashboard()["annotations"]["list"]]
    return [*(rule["expr"] for rule in _rules()), *(target["expr"] for _, target in _targets()), *variables, *notes]


@pytest.mark.parametrize("query", [query for query in _queries() if query])
def test_each_query_names_what_the_daemon_shows(query: str) -> None:
    labels, values = _labels(), _values()
    names = _NAME.findall(query)
    assert [name for name in names if name not in labels] == []
    for name, selected in _SELECTOR.findall(query):
        for label, operator, value in re.findall(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"', selected):
            assert label in labels[name] | _OF_PROMETHEUS, f"{name} has no label {label}"
            if operator in ("=", "!=") and f"{name} {label}" in values:
                assert value in values[f"{name} {label}"], f"{label} of {name} is never {value}"
    for by in _BY.findall(query):
        known = set().union(*(labels[name] for name in names)) | _OF_PROMETHEUS
        assert {each.strip() for each in by.split(",")} <= known


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    checked = promtool("check", "rules", "--lint-fatal", str(_RULES))
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr
    assert f"SUCCESS: {len(_rules())} rules found" in checked.stdout


def test_each_alert_comes_when_it_should_and_not_before() -> None:
    tested = promtool("test", "rules", str(_RULE_TESTS))
    assert tested.returncode == 0, tested.stdout + tested.stderr
    cases = [case for test in yaml.safe_load(_RULE_TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    for rule in _rules():
        expected = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == rule["alert"]}
        assert expected == {True, False}, rule["alert"]


def test_the_manual_says_what_to_do_at_each_alert() -> None:
    headings = re.findall(r"^### (\w+)$", _MANUAL.read_text(), re.MULTILINE)
    assert headings == [rule["alert"] for rule in _rules()]
    for rule in _rules():
        assert rule["annotations"]["runbook"] == f"docs/how-to/prometheus.md#{rule['alert'].lower()}"


@pytest.mark.parametrize(("title", "target"), _targets())
def test_promtool_can_read_each_query_of_the_dashboard(title: str, target: Mapping[str, Any], tmp_path: Path) -> None:
    query = target["expr"].replace("$__rate_interval", "1m")
    rules = tmp_path / "rules.yml"
    rule = {"record": "x:y", "expr": query}
    rules.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": [rule]}]}))
    checked = promtool("check", "rules", str(rules))
    assert checked.returncode == 0, f"{title}: {checked.stderr}"


def test_the_dashboard_asks_the_data_source_that_is_chosen_and_its_panels_do_not_overlap() -> None:
    dashboard = _dashboard()
    variables = dashboard["templating"]["list"]
    assert (variables[0]["name"], variables[0]["type"]) == ("datasource", "datasource")
    named = {each["name"] for each in variables}
    ids, taken = set[int](), set[tuple[int, int]]()
    for panel in dashboard["panels"]:
        assert panel["id"] not in ids
        ids.add(panel["id"])
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    for title, target in _targets():
        assert target["datasource"]["uid"] == "${datasource}", title
        used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
        assert used <= named, title
    assert dashboard["schemaVersion"] <= 38, "Grafana 10.0 has schema 38"
    assert dashboard["id"] is None

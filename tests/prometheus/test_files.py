"""Rules, dashboards and examples are well-formed, tested, and name only what exists."""
import collections
import re
import subprocess

import pytest
import yaml
from prometheus_files import (DASHBOARDS, ROOT, RULE_TESTS, RULES, anchors, dashboard,
                              documented_metrics, example, expressions, metric_names, panels, rules)


def run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules():
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_promtool_runs_the_rules_tests(path):
    run("promtool", "test", "rules", path)


def test_every_alert_has_a_firing_and_a_quiet_test():
    seen = collections.defaultdict(set)
    for path in RULE_TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                seen[case["alertname"]].add(bool(case["exp_alerts"]))
    assert dict(seen) == {rule["alert"]: {True, False} for rule in rules("alert")}


def test_every_alert_says_how_grave_it_is_and_what_to_do():
    for rule in rules("alert"):
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, rule["alert"]
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert (ROOT / page).is_file(), rule["alert"]
        assert anchor == rule["alert"].lower(), rule["alert"]
        assert anchor in anchors(ROOT / page), rule["alert"]


def test_every_alert_of_the_document_exists():
    told = re.findall(r"^### (Mcguard\w+)$", (ROOT / "docs/alerts.md").read_text(), re.M)
    assert sorted(told) == sorted(rule["alert"] for rule in rules("alert"))


def test_rules_read_only_metrics_that_exist():
    known = set(documented_metrics()) | {"up"} | {rule["record"] for rule in rules("record")}
    for rule in rules("alert") + rules("record"):
        names = metric_names(rule["expr"])
        assert names and names <= known, (rule, names - known)


def test_alerts_name_only_labels_that_their_metrics_have():
    known = set().union(*documented_metrics().values()) | {"job", "instance", "cluster", "proxy", "le"}
    for rule in rules("alert") + rules("record"):
        for matcher in re.findall(r"\{([^}]*)\}", re.sub(r'"[^"]*"', '""', rule["expr"])):
            labels = {part.strip() for part in re.findall(r"(\w+)\s*[=!]", matcher)}
            assert labels <= known, (rule["expr"], labels - known)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_complete_and_read_only_metrics_that_exist(path):
    board = dashboard(path)
    assert board["schemaVersion"] >= 36 and board["uid"] == f"mcguard-{path.stem}"
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert {"datasource", "cluster"} <= variables
    identifiers = [panel["id"] for panel in board["panels"]]
    assert len(identifiers) == len(set(identifiers))
    known = set(documented_metrics()) | {"up"} | {rule["record"] for rule in rules("record")}
    for panel in panels(board):
        assert panel["title"] and panel["description"], panel["id"]
        for part in [panel, *panel["targets"]]:
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
    for where, expression in expressions(board):
        assert metric_names(expression) <= known, (where, metric_names(expression) - known)
        used = set(re.findall(r"\$(\w+)", expression)) - {"__rate_interval", "__interval"}
        assert used <= variables, (where, used)
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.match(r"label_values\((\w+)", variable["query"]["query"])
            assert asked[1] in known, variable["name"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_do_not_overlap(path):
    taken = set()
    for panel in dashboard(path)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_documents_examples_pass_their_own_tools(tmp_path):
    prometheus = example("prometheus.yml")
    prometheus["rule_files"] = [str(path) for path in RULES]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(prometheus))
    run("promtool", "check", "config", tmp_path / "prometheus.yml")
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(example("alertmanager.yml")))
    run("amtool", "check-config", tmp_path / "alertmanager.yml")

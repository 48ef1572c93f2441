"""The rules, dashboards and examples for Prometheus, read as data."""
import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "rules/prometheus").glob("*.yaml"))
RULE_TESTS = sorted((ROOT / "tests/prometheus").glob("*_test.yaml"))
DASHBOARDS = sorted((ROOT / "dashboards/grafana").glob("*.json"))
DOCUMENT = ROOT / "docs/prometheus.md"

NO_METRICS = {"and", "or", "unless", "offset", "bool"}


def rules(kind):
    """All rules that have the key `kind`: alert or record."""
    return [rule for file in RULES for group in yaml.safe_load(file.read_text())["groups"]
            for rule in group["rules"] if kind in rule]


def dashboard(path):
    return json.loads(path.read_text())


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions(board):
    """(where, PromQL) of everything that a dashboard asks for."""
    found = [(panel["title"], target["expr"]) for panel in panels(board)
             for target in panel["targets"]]
    return found + [(note["name"], note["expr"]) for note in board["annotations"]["list"]]


def metric_names(expression):
    """The metrics that a PromQL expression reads."""
    text = re.sub(r'"[^"]*"|\'[^\']*\'', "", expression)
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", text)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", text)
    words = re.findall(r"\b[a-zA-Z_][\w:]*\b(?!\s*\()", text)
    return {word for word in words if word not in NO_METRICS}


def documented_metrics():
    """Every name that a series of ours may have, by docs/metrics.md, with the metric's labels."""
    names = {}
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*)\|", (ROOT / "docs/metrics.md").read_text(), re.M)
    for name, kind, labels in rows:
        known = {label.strip() for label in labels.split(",") if label.strip()}
        names[name] = known
        if kind == "histogram":
            names |= {name + suffix: known | {"le"} for suffix in ("_bucket", "_sum", "_count")}
    return names


def example(title):
    """The YAML block of docs/prometheus.md that begins with `# title`."""
    found = re.search(r"```yaml\n# " + re.escape(title) + r"\n(.*?)```", DOCUMENT.read_text(), re.S)
    return yaml.safe_load(found[1])


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

"""Debian's Prometheus and Alertmanager, with the rules and the examples of the documentation, around a
real region: every page is scraped, every panel has data, an alert opens an incident and ends it."""
import contextlib
import json
import re
import resource
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("support", "prometheus")]
from prometheus_files import (DASHBOARDS, RULES, dashboard, documented_metrics, example,  # noqa: E402
                              expressions, metric_names, rules)
from region import Region, wait_for  # noqa: E402


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Watchers:
    """A Prometheus and an Alertmanager that watch a region, in seconds instead of minutes."""

    def __init__(self, region, folder):
        self.region, self.folder = region, Path(folder)
        self.prometheus_port, self.alertmanager_port = free_port(), free_port()
        self.processes = contextlib.ExitStack()

    def __enter__(self):
        with self.processes:
            self.write_prometheus()
            self.write_alertmanager()
            # Its default address for gossip is every interface's; one instance needs none.
            self.start("prometheus-alertmanager", f"--config.file={self.folder}/alertmanager.yml",
                       f"--storage.path={self.folder}/alertmanager", "--cluster.listen-address=",
                       f"--web.listen-address=127.0.0.1:{self.alertmanager_port}")
            self.start("prometheus", f"--config.file={self.folder}/prometheus.yml",
                       f"--storage.tsdb.path={self.folder}/data",
                       f"--web.listen-address=127.0.0.1:{self.prometheus_port}")
            for port in (self.prometheus_port, self.alertmanager_port):
                wait_for("it is ready", lambda at=port: self.answers(at), 30)
            self.processes = self.processes.pop_all()
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            for log in self.folder.glob("*.log"):
                print(f"── {log.name}\n" + log.read_text(errors="replace")[-3000:], file=sys.stderr)
        self.processes.close()

    def write_prometheus(self):
        config = example("prometheus.yml")
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = []
        for path in RULES:
            # The same rules, that wait for a second instead of a minute.
            text = re.sub(r"^(\s*for: ).*$", r"\g<1>1s", path.read_text(), flags=re.M)
            (self.folder / path.name).write_text(text)
            config["rule_files"].append(path.name)
        config["alerting"] = {"alertmanagers": [
            {"static_configs": [{"targets": [f"127.0.0.1:{self.alertmanager_port}"]}]}]}
        agent = self.region.url("operator")
        for job in config["scrape_configs"]:
            if "scrape_interval" in job:
                job["scrape_interval"] = "1s"
            if "static_configs" in job:
                job["static_configs"] = [{"targets": [agent.removeprefix("http://")]}]
            for discovery in job.get("http_sd_configs", []):
                discovery["url"] = agent + urllib.parse.urlsplit(discovery["url"]).path
                discovery["refresh_interval"] = "1s"
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def write_alertmanager(self):
        config = example("alertmanager.yml")
        config["route"] |= {"group_wait": "100ms", "group_interval": "1s"}
        for route in config["route"]["routes"]:
            route |= {"group_wait": "100ms", "group_interval": "1s"}
        for receiver in config["receivers"]:
            for hook in receiver.get("webhook_configs", []):
                hook["url"] = self.region.url("operator") + urllib.parse.urlsplit(hook["url"]).path
                hook["http_config"]["authorization"]["credentials_file"] = str(
                    self.region.directory / "operator.token")
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(config))

    def start(self, *command):
        log = self.processes.enter_context(open(self.folder / f"{command[0]}.log", "wb"))
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        self.processes.callback(process.wait, 20)
        self.processes.callback(process.terminate)

    def answers(self, port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/{path}?" + urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError((query, error.read().decode())) from error

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def is_firing(self, name, **labels):
        return any(alert["labels"]["alertname"] == name and alert["state"] == "firing"
                   and labels.items() <= alert["labels"].items()
                   for alert in self.ask("alerts")["alerts"])


@pytest.fixture(name="region", scope="module")
def fixture_region():
    with Region() as region:
        yield region


@pytest.fixture(name="watchers", scope="module")
def fixture_watchers(region):
    with tempfile.TemporaryDirectory(prefix="mcguard-watchers-") as folder:
        with Watchers(region, folder) as watchers:
            yield watchers


def send_some(region):
    for index in range(len(region.cluster()["proxies"])):
        with contextlib.closing(region.client(index)) as client:
            for n in range(30):
                client.set(f"panel:{n}", "1")
                client.get(f"panel:{n}")
                client.get(f"nobody:{n}")


def test_every_target_is_up_in_openmetrics(region, watchers):
    proxies = {p["id"]: c["name"] for c in region.info()["clusters"] for p in c["proxies"]}

    def is_scraped():
        targets = watchers.ask("targets")["activeTargets"]
        seen = {(t["labels"]["job"], t["labels"].get("proxy"), t["labels"].get("cluster"))
                for t in targets if t["health"] == "up"}
        return seen == {("mcguard-agent", None, None)} | {
            (job, proxy, cluster) for proxy, cluster in proxies.items()
            for job in ("mcguard-proxy", "mcguard-proxy-caches")}
    wait_for("the agent and all proxies are scraped", is_scraped, 30)
    broken = [rule for group in watchers.ask("rules")["groups"] for rule in group["rules"]
              if rule["health"] == "err"]
    assert not broken, broken


def test_every_panel_has_data(region, watchers):
    """No panel is empty by a slip in a name or a label."""
    # Empty when all is well, as what ends in "> 0" is.
    quiet = {"Incidents", "Runs", "Caches near their limit"}
    questions = [(path.stem, where, expression) for path in DASHBOARDS
                 for where, expression in expressions(dashboard(path))]
    for name, value in (("cluster", ".*"), ("proxy", ".*"), ("__rate_interval", "20s"), ("__interval", "20s")):
        questions = [(b, w, re.sub(r"\$" + name + r"\b", value, e)) for b, w, e in questions]

    waited_for = [(board, where, expression) for board, where, expression in questions
                  if where not in quiet and not expression.endswith("> 0")]

    def is_complete():
        send_some(region)
        waited_for[:] = [question for question in waited_for if not watchers.query(question[2])]
        return not waited_for
    try:
        wait_for("every panel has data", is_complete, 60, every=1)
    except AssertionError as late:
        raise AssertionError(waited_for) from late
    for _, _, expression in questions:
        watchers.query(expression)  # those that may be empty are well-formed

    live = set(watchers.ask("label/__name__/values"))
    recorded = {rule["record"] for rule in rules("record")}
    wait_for("every recording has data", lambda: recorded <= set(watchers.ask("label/__name__/values")), 30)
    absent = set().union(*(metric_names(e) for _, _, e in questions)) - live - recorded
    # There when there is an incident, a run, a plan with a limit.
    assert absent <= {"mcguard_agent_incidents", "mcguard_agent_runs", "mcguard_proxy_cache_limit_bytes"}, absent


def test_every_exported_name_is_documented(watchers):
    ours = {name for name in watchers.ask("label/__name__/values")
            if name.startswith(("mcguard_", "process_"))}
    assert ours <= set(documented_metrics()), ours - set(documented_metrics())


def test_an_alert_opens_an_incident_and_ends_it(region, watchers):
    proxy = region.proxy("amber-proxy-1")
    before = resource.prlimit(proxy["pid"], resource.RLIMIT_NOFILE)
    used = len(list(Path(f"/proc/{proxy['pid']}/fd").iterdir()))

    def about():
        return [i for i in region.incidents() if i["title"].startswith("McguardDescriptorsLow")]
    assert not about()
    # Descriptors run low: a thing that the agent itself does not look at.
    resource.prlimit(proxy["pid"], resource.RLIMIT_NOFILE, (int(used / 0.85), before[1]))
    try:
        wait_for("the alert fires", lambda: watchers.is_firing("McguardDescriptorsLow", proxy="amber-proxy-1"), 20)
        incident = wait_for("the incident is open", about, 10)[0]
        assert (incident["type"], incident["scope"]["proxy"], incident["scope"]["cluster"]) == \
            ("other", "amber-proxy-1", "amber"), incident
        assert "of its descriptors" in incident["title"]
        listed = region.get_json("operator", "/api/v1/alerts")["alerts"]
        assert [(a["name"], a["incident"]) for a in listed if a["name"] == "McguardDescriptorsLow"] == \
            [("McguardDescriptorsLow", incident["id"])], listed
        # The public page tells nobody.
        page = region.get_json("status", "/api/v2/incidents/unresolved.json")
        assert "Descriptors" not in json.dumps(page)
    finally:
        resource.prlimit(proxy["pid"], resource.RLIMIT_NOFILE, before)
    wait_for("the incident is resolved", lambda: about()[0]["state"] == "resolved", 60)
    assert len(about()) == 1, "one alert, one incident, however often it was sent"
    timeline = region.get_json("operator", f"/api/v1/incidents/{incident['id']}")["timeline"]
    assert timeline[0]["text"].startswith("Alertmanager says: McguardDescriptorsLow"), timeline


def test_the_webhook_says_what_is_wrong(region):
    url = region.url("operator") + "/api/v1/alerts"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, b"{}", method="POST"), timeout=5)
    assert refused.value.code == 401
    for body, expected in (({}, "version: expected"), ({"version": "4"}, "alerts: expected an array"),
                           ({"version": "4", "alerts": [{"status": "firing"}]}, "alerts[0].fingerprint")):
        status, answer = region.api("/api/v1/alerts", body)
        assert (status, answer["error"]["code"]) == (400, "invalid"), answer
        assert expected in answer["error"]["context"], answer

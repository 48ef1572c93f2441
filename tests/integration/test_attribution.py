"""Who is to blame: the network and not the backend, the backend and not the network, or one client.

The three take turns in one region, which takes a minute and a half to learn what is usual there.
"""
import os
import re
import signal
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from flood import Flood  # noqa: E402
from load import Load  # noqa: E402
from region import Region, pause, wait_for  # noqa: E402

LINKS = [f"amber-proxy-{p}/amber-backend-{b}" for p in (1, 2) for b in (1, 2)]
LEARNED = 32  # echoes of a link, after which it is known what is usual
# What the script gives the region to serve its usual load before a flood: the rule's learn_first, and two
# looks at the clients of a proxy that is not busy, ten seconds apart.
USUAL_SECONDS = 85
FLOODER, FLOODED, FLOOD_SECONDS = "127.0.0.77", "amber-proxy-1", 60  # at most so long
PATIENCE = 180  # seconds; a machine that is full makes fewer echoes, and all that waits for them slower


def echo_metrics(region):
    """{(name, target, le or ""): value} of the agent's mcguard_agent_echo_* samples."""
    with urllib.request.urlopen(region.url("operator") + "/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = {}
    for name, labels, value in re.findall(r"^mcguard_agent_echo_(\w+)(?:\{(.*?)\})? (\S+)$", text, re.M):
        labels = dict(re.findall(r'(\w+)="(.*?)"', labels))
        found[name, labels.get("target", labels.get("reason", "")), labels.get("le", "")] = float(value)
    return found


def slow(metrics, link):
    """Echoes of the link that took longer than 5 ms."""
    return metrics["seconds_count", link, ""] - metrics["seconds_bucket", link, "0.005"]


def slow_shares(before, after):
    """{link: share of the echoes asked for in between that were slow}."""
    return {link: (slow(after, link) - slow(before, link)) /
                  max(1, after["asked_total", link, ""] - before["asked_total", link, ""]) for link in LINKS}


def metrics_after(region, before, count):
    """The metrics, once every link was asked so often since `before`; None until then."""
    metrics = echo_metrics(region)
    asked = min(metrics["asked_total", link, ""] - before["asked_total", link, ""] for link in LINKS)
    return metrics if asked >= count else None


def has_learned(region):
    metrics = echo_metrics(region)
    return all(metrics.get(("seconds_count", link, ""), 0) > LEARNED for link in LINKS)


def story(region, incident):
    whole = region.get_json("operator", f"/api/v1/incidents/{incident['id']}")
    return " ".join(entry["text"] for entry in whole["timeline"])


class Stutter(threading.Thread):
    """Stops a process for 10 ms, over and over, and lets it run for 15 ms between."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.end = pid, threading.Event()

    def __enter__(self):
        self.start()
        return self

    def run(self):
        while not self.end.is_set():
            os.kill(self.pid, signal.SIGSTOP)
            self.end.wait(0.010)
            os.kill(self.pid, signal.SIGCONT)
            self.end.wait(0.015)

    def __exit__(self, *_):
        self.end.set()
        self.join()
        os.kill(self.pid, signal.SIGCONT)


@pytest.fixture(scope="module", name="usual_since")
def region_that_knows_its_echoes():
    """(a region under load, the moment since when it is)"""
    with Region("--gameday") as region, Load(region, workers=4, pause=0.004) as load:
        wait_for("load is under way", lambda: load.done() > 100, 60)
        since = time.monotonic()
        wait_for("every link's usual echo is known", lambda: has_learned(region), PATIENCE, every=0.5)
        yield region, since


def test_slow_links_are_the_networks(usual_since):
    region, _ = usual_since
    region.quiet(PATIENCE)
    before = echo_metrics(region)
    assert before["answers_total", "", ""] > 4 * LEARNED

    region.tool("fault", "slow", "--backend", "amber-backend-1", "--share", "20%", "--delay", "6ms..15ms")
    found = wait_for("an incident", lambda: region.incidents(unresolved=True), PATIENCE)[0]
    wait_for("its echoes are told", lambda: "of the echoes on the same links took over" in story(region, found),
             PATIENCE, every=0.2)
    # A trouble that is new has more echoes than one every half a second.
    after = wait_for("echoes of the fault", lambda: metrics_after(region, before, 60), PATIENCE, every=0.2)
    found = region.incidents(unresolved=True)[0]
    assert found["type"] == "network_degraded", found
    assert "not the network" not in story(region, found), story(region, found)
    shares = slow_shares(before, after)
    hit = [share for link, share in shares.items() if link.endswith("backend-1")]
    well = [share for link, share in shares.items() if not link.endswith("backend-1")]
    assert min(hit) > max(0.05, *well), shares
    region.tool("fault", "clear")
    region.quiet(PATIENCE)


def test_a_slow_backend_behind_well_links_is_not_the_network(usual_since):
    region, _ = usual_since
    region.quiet(PATIENCE)
    with Stutter(region.backend("amber-backend-2")["pid"]):
        found = wait_for("a slow member", lambda: next(
            (i for i in region.incidents(unresolved=True) if i["type"] == "member_slow"), None), PATIENCE, every=0.2)
        assert found["scope"]["backend"] == "amber-backend-2", found
        assert "the backend is slow, not the network" in story(region, found), story(region, found)
    print(found["title"], "·", story(region, found))


def test_a_client_that_floods_a_proxy_is_the_incident_and_nothing_else(usual_since):
    region, since = usual_since
    pause(max(0, since + USUAL_SECONDS - time.monotonic()))
    region.quiet(PATIENCE)
    before = {incident["id"] for incident in region.incidents()}
    with Flood(region, 0, FLOODER, FLOOD_SECONDS):
        found = wait_for("a flood", lambda: next(
            (i for i in region.incidents(unresolved=True) if i["type"] == "client_flood"), None),
            FLOOD_SECONDS, every=0.2)
        assert found["scope"]["proxy"] == FLOODED, found
        assert found["scope"]["client"] == FLOODER, found
        told = story(region, found)
        assert f"Client {FLOODER} sends " in told, told
        assert f"requests a second at proxy {FLOODED}" in told, told
    region.quiet(PATIENCE)
    incidents = [incident for incident in region.incidents() if incident["id"] not in before]
    print(found["title"], "·", told)
    assert [i["type"] for i in incidents] == ["client_flood"], [story(region, i) for i in incidents]
    assert "Slow network" not in story(region, found)


def test_a_region_without_links_asks_for_no_echoes_and_answers_none():
    with Region() as region:
        assert echo_metrics(region) == {}

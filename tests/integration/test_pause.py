"""While a cluster is paused nothing is replaced in it, also by the next agent; then it is."""
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from region import Region, wait_for  # noqa: E402

WORDS = "(changing the switch)"


def pages(region):
    """How often a person was called because of the pause: once by each agent."""
    log = (region.directory / "log/agent.log").read_text()
    return sum("event=page" in line and WORDS in line for line in log.splitlines())


def kill(process):
    os.kill(process["pid"], signal.SIGKILL)


def told(region, words):
    """Whether the timeline of an incident that goes on says so."""
    timelines = (region.api(f"/api/v1/incidents/{i['id']}")[1]["timeline"]
                 for i in region.incidents(unresolved=True))
    return any(words in entry["text"] for timeline in timelines for entry in timeline)


def test_a_pause_holds_policy_and_nothing_else():
    with Region("--gameday") as region:
        region.tool("pause", "add", "--cluster", "amber", "--for", "10m", "--reason", "changing the switch")
        pause, = region.status()["pauses"]
        assert pause["in_force"] and pause["reason"] == "changing the switch", pause
        assert "changing the switch" in region.tool("status").stdout
        victim, = [p for p in region.cluster("amber")["proxies"] if p["id"] == "amber-proxy-1"]
        kill(victim)
        wait_for("people are told that nobody acts, and why",
                 lambda: told(region, WORDS), 10)
        elsewhere = region.proxy("birch-proxy-1")
        kill(elsewhere)
        wait_for("another cluster is cared for",
                 lambda: region.proxy("birch-proxy-1")["pid"] not in (0, elsewhere["pid"]), 10)
        agent = region.info()["agent"]
        kill(agent)
        wait_for("the next agent is there",
                 lambda: region.info()["agent"]["pid"] not in (0, agent["pid"]), 10)
        wait_for("it knows of the pause", lambda: region.status()["pauses"] == [pause], 10)
        wait_for("it asks what is to be done, and says so", lambda: pages(region) >= 2, 20)
        assert region.proxy("amber-proxy-1")["pid"] in (0, victim["pid"])
        region.tool("pause", "lift", pause["id"])
        assert region.tool("pause", "lift", pause["id"], check=False).returncode == 4
        wait_for("it is replaced", lambda: region.proxy("amber-proxy-1")["pid"] not in (0, victim["pid"]), 10)
        region.quiet()

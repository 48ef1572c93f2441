"""kill -9 of the agent at every journal point of a replace-proxy run: the run ends, once."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from load import Load  # noqa: E402
from region import Region, alive, wait_for  # noqa: E402

MOST_POINTS = 60


def processes_of(region, identity):
    """The pids of every process that was started as this proxy of this region."""
    found = subprocess.run(["pgrep", "-f", f"{region.directory}/.*/{identity}[./]"],
                           capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split() if alive(int(pid))]


def runs(region, known):
    try:
        listed = region.get_json("operator", "/api/v1/runs")["runs"]
    except OSError:
        return []  # the agent is away
    return [r for r in listed if r["id"] not in known and r["runbook"] == "replace-proxy"]


def ended_runs(region, known):
    """The new runs once one of them is finished; of an agent that was just killed, none yet."""
    new = runs(region, known)
    return new if any(r["state"] == "finished" for r in new) else None


def incident_ids(region):
    try:
        return {i["id"] for i in region.incidents()}
    except OSError:
        return set()  # the agent is away


def test_a_run_ends_completed_or_handed_over_wherever_the_agent_dies():
    ended, killed_at = {}, 0
    with Region("--gameday") as region, Load(region, workers=4) as load:
        wait_for("load is under way", lambda: load.done() > 100)
        for point in range(MOST_POINTS):
            region.quiet(60)
            again = runs(region, finished) if point else []
            assert not again, f"a second run for what was over: {again}"
            known = {r["id"] for r in region.get_json("operator", "/api/v1/runs")["runs"]}
            agent = region.info()["agent"]["pid"]
            index = point % 2
            victim = region.cluster("amber")["proxies"][index]
            kill_file = region.directory / "run/kill-point"
            kill_file.write_text(str(point))
            begun = time.monotonic()
            os.kill(victim["pid"], signal.SIGKILL)
            new = wait_for("the run has ended", lambda: ended_runs(region, known), 30)
            finished = known | {r["id"] for r in new}
            assert len(new) == 1, new
            ended[new[0]["outcome"]] = ended.get(new[0]["outcome"], 0) + 1
            assert new[0]["outcome"] in ("completed", "handed_over"), new
            wait_for("it was told to people too",
                     lambda: new[0]["incident"] in incident_ids(region), 10)
            wait_for("the proxy runs again",
                     lambda: alive(region.proxy(victim["id"])["pid"]) and
                     region.proxy(victim["id"])["pid"] != victim["pid"], 10)
            assert processes_of(region, victim["id"]) == [region.proxy(victim["id"])["pid"]]
            strangers = [f for f in load.failures(begun) if f[1] != index]
            assert not strangers, strangers
            if new[0]["outcome"] == "handed_over":
                resolve_all(region)
            if kill_file.exists():
                break  # the run has fewer points than this: nothing took the file
            wait_for("a new agent", lambda: region.info()["agent"]["pid"] not in (0, agent), 10)
            wait_for("it answers with what it knew", lambda: new[0]["incident"] in
                     incident_ids(region), 10)
            killed_at += 1
        else:
            raise AssertionError(f"a run with more than {MOST_POINTS} journal points")
    print(f"agent killed at {killed_at} journal points of replace-proxy; runs ended: {ended}")
    assert killed_at >= 8, "every step has several points"


def resolve_all(region):
    """A person looks at what was handed over, finds it serving, and says so."""
    for incident in region.incidents(unresolved=True):
        region.tool("incident", "resolve", incident["id"], "--reason", "serving again", check=False)

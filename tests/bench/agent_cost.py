#!/usr/bin/python3 -B
"""What the agent costs its machine while a region serves a steady load.

    agent_cost.py [SECONDS]      default 60; the documented figure is of 600

Prints one line per figure, `name ours peer ratio bound ok|short`, and exits 1 when one is short.
CPU is user + system time of the agent over wall time; memory is the growth of its resident set from
the end of the warm-up (a fifth of the run) to the end.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from load import Load  # noqa: E402
from processes import cpu_seconds, resident_bytes  # noqa: E402
from region import Region, pause, wait_for  # noqa: E402


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    with Region("--gameday") as region, Load(region, workers=4, pause=0.005) as load:
        wait_for("load is under way", lambda: load.done() > 200)
        pid = region.info()["agent"]["pid"]
        pause(seconds / 5)
        cpu, memory = cpu_seconds(pid), resident_bytes(pid)
        pause(seconds * 4 / 5)
        share = (cpu_seconds(pid) - cpu) / (seconds * 4 / 5)
        growth = resident_bytes(pid) - memory
        assert region.info()["agent"]["pid"] == pid, "the agent was restarted"
        false_alarms = [region.api(f"/api/v1/incidents/{incident['id']}")[1]
                        for incident in region.incidents()]
        requests = load.done()
    print(f"# {requests} requests through four proxies' clusters in {seconds:.0f} s")
    for incident in false_alarms:
        scope = ", ".join(f"{k} {v}" for k, v in incident["scope"].items() if v)
        print(f"# false incident {incident['id']}: {incident['type']} of {scope or 'the region'}, "
              f"{incident['state']} since {incident['started_at']}: {incident['title']}")
        for evidence in incident.get("evidence", []):
            print(f"#   {evidence}")
    short = False
    for name, ours, bound in (("agent_cpu_share_of_core", share, 0.015),
                              ("agent_memory_growth_mib", growth / 2**20, 1.0),
                              ("agent_resident_mib", (memory + growth) / 2**20, 64.0),
                              ("false_incidents", float(len(false_alarms)), 0.0)):
        short |= ours > bound
        print(f"{name} {ours:.4f} - - {bound} {'ok' if ours <= bound else 'short'}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())

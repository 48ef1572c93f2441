"""The outage's own fault: a share of requests slower on every link of one cluster."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from load import Load  # noqa: E402
from region import Region, pause, wait_for  # noqa: E402


def components(region):
    return {c["name"]: c["status"]
            for c in region.get_json("status", "/api/v2/components.json")["components"]}


def test_a_slow_share_on_all_links_is_one_network_incident_and_nothing_is_replaced():
    with Region("--gameday") as region, Load(region, workers=2, pause=0.01) as load:
        wait_for("load is under way", lambda: load.done() > 100)
        before = {p["id"]: p["pid"] for c in region.info()["clusters"] for p in c["proxies"] + c["backends"]}
        assert region.incidents(unresolved=True) == []
        set_at = time.monotonic()
        region.tool("fault", "slow", "--cluster", "amber", "--share", "15%", "--delay", "5ms..15ms")
        found = wait_for("an incident", lambda: region.incidents(unresolved=True), 10)
        seen = time.monotonic() - set_at
        assert found[0]["type"] == "network_degraded", found
        assert found[0]["scope"]["cluster"] == "amber" and not found[0]["scope"].get("proxy"), found
        wait_for("the page shows amber degraded",
                 lambda: any(s != "operational" for n, s in components(region).items() if "amber" in n), 3)
        # Ten more seconds of the fault: still one incident, nobody replaced, the other cluster green.
        until = time.monotonic() + 10
        while time.monotonic() < until:
            assert len(region.incidents(unresolved=True)) == 1, region.incidents(unresolved=True)
            assert all(s == "operational" for n, s in components(region).items() if "birch" in n)
            pause(0.5)
        after = {p["id"]: p["pid"] for c in region.info()["clusters"] for p in c["proxies"] + c["backends"]}
        assert after == before, "nothing was replaced"
        region.tool("fault", "clear")
        region.quiet(60)
        print(f"network fault seen after {seen:.2f} s")


def test_a_region_without_gameday_refuses_faults():
    with Region() as region:
        done = region.tool("fault", "slow", "--cluster", "amber", "--share", "15%",
                           "--delay", "5ms..15ms", check=False)
        assert done.returncode == 3, (done.returncode, done.stderr)
        assert "gameday" in done.stderr
        assert region.incidents() == []

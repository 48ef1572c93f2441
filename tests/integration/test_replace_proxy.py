"""The planned replacement of a proxy that answers: its clients stay and notice nothing."""
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from load import Load  # noqa: E402
from region import Region, alive, wait_for  # noqa: E402


def replace(region, proxy):
    """Runs the runbook; its run once it has ended."""
    status, begun = region.api("/api/v1/runbooks/replace-proxy/run", {"params": {"proxy": proxy}})
    assert status == 200, begun

    def ended():
        shown = region.get_json("operator", f"/api/v1/runs/{begun['run']}")
        return shown if shown["state"] == "finished" else None
    return wait_for("the run has ended", ended, 40)


def test_a_replaced_proxy_keeps_its_clients():
    with Region("--gameday") as region, Load(region, workers=8) as load:
        wait_for("load is under way", lambda: load.done() > 200)
        region.quiet()
        known = {i["id"] for i in region.incidents()}
        victim = region.cluster("amber")["proxies"][0]
        shown = replace(region, victim["id"])
        assert shown["outcome"] == "completed", shown
        now = region.proxy(victim["id"])
        assert now["pid"] != victim["pid"] and alive(now["pid"])
        wait_for("the old process has ended", lambda: not alive(victim["pid"]))
        done = load.done()
        wait_for("load goes on", lambda: load.done() > done + 400)
        assert load.failures() == []
        assert "handed_over" in (region.directory / f"log/{victim['id']}.log").read_text()
        assert {i["id"] for i in region.incidents()} == known, "nobody was told of trouble"
        # An agent that comes later knows the new process as the proxy, and whose end it is.
        agent = region.info()["agent"]["pid"]
        os.kill(agent, signal.SIGKILL)
        wait_for("a new agent", lambda: region.info()["agent"]["pid"] not in (0, agent), 15)
        wait_for("it has the proxy", lambda: region.proxy(victim["id"])["pid"] == now["pid"], 15)
        os.kill(now["pid"], signal.SIGKILL)
        wait_for("the proxy is replaced by force",
                 lambda: region.proxy(victim["id"])["pid"] not in (0, now["pid"]), 20)
        wait_for("it serves", lambda: region.serves(0), 15)
        region.quiet(60)

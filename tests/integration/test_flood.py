"""One client address that floods one proxy is named, and nobody calls it the network."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from flood import Flood  # noqa: E402
from load import Load  # noqa: E402
from region import Region, pause, wait_for  # noqa: E402

FLOODER = "127.0.0.77"
PROXY = "amber-proxy-1"
# What the script gives the region to serve its usual load: the rule's learn_first, and two looks at the
# clients of a proxy that is not busy, ten seconds apart.
USUAL_SECONDS = 85
FLOOD_SECONDS = 60  # at most
PATIENCE = 180


def timeline(region, incident):
    whole = region.get_json("operator", f"/api/v1/incidents/{incident['id']}")
    return " ".join(entry["text"] for entry in whole["timeline"])


def test_a_client_that_floods_a_proxy_is_the_incident():
    with Region() as region, Load(region, workers=4, pause=0.004) as load:
        wait_for("load is under way", lambda: load.done() > 100, 60)
        pause(USUAL_SECONDS)
        region.quiet(PATIENCE)
        with Flood(region, 0, FLOODER, FLOOD_SECONDS):
            found = wait_for("a flood", lambda: next(
                (i for i in region.incidents(unresolved=True) if i["type"] == "client_flood"), None),
                FLOOD_SECONDS, every=0.2)
            assert found["scope"]["proxy"] == PROXY, found
            assert found["scope"]["client"] == FLOODER, found
            told = timeline(region, found)
            assert f"Client {FLOODER} sends " in told, told
            assert f"requests a second at proxy {PROXY}" in told, told
        region.quiet(PATIENCE)
        incidents = region.incidents()
        print([(i["type"], i["title"]) for i in incidents], told)
        assert [i["type"] for i in incidents] == ["client_flood"], [timeline(region, i) for i in incidents]
        assert "Slow network" not in timeline(region, found)

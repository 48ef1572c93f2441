"""Several members of a cluster die together: each is replaced, and none waits for another."""
import os
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from region import Region, wait_for  # noqa: E402

PROXY, OTHER_PROXY = "amber-proxy-1", "amber-proxy-2"
BACKEND, OTHER_BACKEND = "amber-backend-1", "amber-backend-2"


def member(region, identity):
    cluster = region.cluster(identity.split("-")[0])
    return next(m for m in cluster["proxies"] + cluster["backends"] if m["id"] == identity)


def both_serve(region):
    return region.serves(0) and region.serves(1)


@pytest.mark.parametrize("victims", [(PROXY, BACKEND), (BACKEND, PROXY), (BACKEND, OTHER_BACKEND),
                                     (PROXY, OTHER_PROXY), (BACKEND, "birch-backend-1")])
def test_each_is_replaced(victims):
    with Region() as region:  # with the policy that people get
        wait_for("it serves", lambda: both_serve(region))
        before = {v: member(region, v)["pid"] for v in victims}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        wait_for("each has a new process", lambda: all(
            member(region, v)["pid"] not in (0, before[v]) for v in victims), 15)
        wait_for("everything serves", lambda: both_serve(region), 15)
        print(f"{' and '.join(victims)}: serving again after {time.monotonic() - killed:.2f} s")
        region.quiet(60)

"""A delayed flush_all is a durable timer: it comes at its time, whoever was started again meanwhile."""
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from region import MemcacheError, Region, wait_for  # noqa: E402

DELAY = 15  # seconds, long enough for both to come back first


def value_of(region, proxy, key):
    try:
        with contextlib.closing(region.client(proxy)) as client:
            return client.get(key)
    except (OSError, MemcacheError):
        return "not reached"


def is_stored(region, proxy, key, value):
    try:
        with contextlib.closing(region.client(proxy)) as client:
            client.set(key, value)
            return True
    except (OSError, MemcacheError):
        return False


def test_a_delayed_flush_survives_restarts_of_proxy_and_agent():
    with Region() as region:
        client = region.client(0)
        client.set("delayed:before", "old")
        begun = time.monotonic()
        assert client.command(b"flush_all %d\r\n" % DELAY) == b"OK"
        client.close()

        identity = region.cluster()["proxies"][0]["id"]
        proxy, agent = region.proxy(identity)["pid"], region.info()["agent"]["pid"]
        os.kill(proxy, signal.SIGKILL)
        os.kill(agent, signal.SIGKILL)
        wait_for("a new agent runs", lambda: region.info()["agent"]["pid"] not in (0, None, agent), DELAY)
        wait_for("a new proxy serves",
                 lambda: region.proxy(identity)["pid"] not in (0, None, proxy) and region.serves(0), DELAY)
        restarted = time.monotonic() - begun
        assert restarted < DELAY - 1, f"both were back only after {restarted} s"
        assert value_of(region, 0, "delayed:before") == b"old", "nothing is flushed before its time"

        wait_for("it is flushed", lambda: value_of(region, 0, "delayed:before") is None, 2 * DELAY, every=0.1)
        assert time.monotonic() - begun > DELAY - 1, "not before its time"
        wait_for("and by every proxy", lambda: value_of(region, 1, "delayed:before") is None, 5)
        wait_for("it is complete: writes are taken again", lambda: is_stored(region, 0, "delayed:after", "new"), 5)
        assert value_of(region, 0, "delayed:before") is None, "not a miss for want of confirmation"
        wait_for("every proxy has it", lambda: value_of(region, 1, "delayed:after") == b"new", 5)
        assert value_of(region, 1, "delayed:before") is None

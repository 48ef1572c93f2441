"""Backends that stop and come back, agents that die, proxies that stop: no stale read, ever."""
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from history import History  # noqa: E402
from region import Memcache, MemcacheError, Region, pause, wait_for  # noqa: E402

STOPS = int(os.environ.get("MCGUARD_TEST_STOPS", "3"))  # one with each disturbance
KEYS = 24


class Client(threading.Thread):
    """One connection per proxy, one request at a time; everything goes into the history."""

    def __init__(self, region, history, lock, stop, keys, writer, seed):
        super().__init__(daemon=True)
        cache = region.info()["cache"]
        servers = cache["servers"]
        self.servers = servers.split(",") if isinstance(servers, str) else servers
        self.who = (cache["username"], cache["password"])
        self.history, self.lock, self.stop = history, lock, stop
        self.keys, self.writer, self.random = keys, writer, random.Random(seed)
        self.connections = {}
        self.next_value = dict.fromkeys(keys, 1)

    def step(self, index):
        if index not in self.connections:
            self.connections[index] = Memcache(self.servers[index], *self.who, timeout=3.0)
        client = self.connections[index]
        key = self.random.choice(self.keys)
        if self.writer:
            value = self.next_value[key]
            self.next_value[key] += 1
            with self.lock:
                self.history.write_begins(key, value, time.monotonic())
            client.set(key, f"amber-cache:{value}")
            with self.lock:
                self.history.write_acknowledged(key, value, time.monotonic())
        else:
            begun = time.monotonic()
            data = client.get(key)
            ended = time.monotonic()
            value = None
            if data is not None:
                owner, _, number = data.decode().partition(":")
                assert owner == "amber-cache", f"another cache's value: {data!r}"
                value = int(number)
            with self.lock:
                self.history.read(key, value, begun, ended, self.servers[index])

    def run(self):
        while not self.stop.is_set():
            index = self.random.randrange(len(self.servers))
            try:
                self.step(index)
            except (OSError, MemcacheError) as error:
                # An error line keeps the connection; anything else does not.
                if not isinstance(error, MemcacheError) or "closed" in str(error):
                    connection = self.connections.pop(index, None)
                    if connection:
                        connection.close()
                    self.stop.wait(0.02)
            self.stop.wait(0.001)


def committed(region):
    cluster = next(c for c in region.status()["clusters"] if c["name"] == "amber")
    return cluster["epoch"], {p["id"]: p["epoch"] for p in cluster["proxies"]}


def test_no_stale_read_through_stops_of_backends_agents_and_proxies():
    seed = int(os.environ.get("MCGUARD_TEST_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    history, lock, stop = History(), threading.Lock(), threading.Event()
    with Region("--gameday") as region:
        keys = [f"register:{n}" for n in range(KEYS)]
        clients = [Client(region, history, lock, stop, keys[n::4], True, seed + n) for n in range(4)]
        clients += [Client(region, history, lock, stop, keys, False, seed + 100 + n) for n in range(6)]
        for client in clients:
            client.start()
        try:
            attributed, switched = [], []
            for number in range(STOPS):
                region.quiet(60)
                before, _ = committed(region)
                known = {i["id"] for i in region.incidents()}
                victim = chance.choice(region.cluster("amber")["backends"])
                stopped = time.monotonic()
                os.kill(victim["pid"], signal.SIGSTOP)
                found = wait_for("the stop is attributed to the backend", lambda: [
                    i for i in region.incidents() if i["id"] not in known
                    and i["scope"].get("backend") == victim["id"]], 6)
                attributed.append(time.monotonic() - stopped)
                assert len(found) == 1, found
                disturbance = number % 3
                if disturbance == 1:
                    os.kill(region.info()["agent"]["pid"], signal.SIGKILL)
                if disturbance == 2:
                    proxy = chance.choice(region.cluster("amber")["proxies"])["pid"]
                    os.kill(proxy, signal.SIGSTOP)
                    pause(chance.uniform(0.05, 0.9))  # of any length, by the seed
                    try:
                        os.kill(proxy, signal.SIGCONT)
                    except ProcessLookupError:
                        pass  # it was replaced meanwhile
                wait_for("a new epoch is committed on both proxies", lambda: agreed(region, before), 20)
                switched.append(time.monotonic() - stopped)
                try:
                    os.kill(victim["pid"], signal.SIGCONT)
                except ProcessLookupError:
                    pass  # it was replaced
                if number % 2 == 1:
                    flush(region, history, lock)
            region.quiet(60)
        finally:
            stop.set()
            for client in clients:
                client.join(10)
        wrong = history.check()
        print(f"{STOPS} stops: attributed within {max(attributed):.2f} s, switched within "
              f"{max(switched):.2f} s; {history.reads} reads, {history.hits} hits, {len(wrong)} wrong")
        assert history.hits > 1000, "the readers met values"
        assert not wrong, wrong[:5]
        assert max(attributed) < 5.0


def agreed(region, before):
    try:
        epoch, proxies = committed(region)
    except OSError:
        return False  # the agent is away
    return epoch > before and all(e == epoch for e in proxies.values())


def flush(region, history, lock):
    """A flush by a client; only an acknowledged one counts."""
    begun = time.monotonic()
    try:
        client = region.client(0, timeout=5)
        answer = client.command(b"flush_all\r\n")
        client.close()
    except (OSError, MemcacheError):
        return
    if answer == b"OK":
        with lock:
            history.flushed(begun, time.monotonic())


def test_two_caches_with_the_same_keys_never_see_each_other():
    with Region() as region:
        status, cache = region.api("/api/v1/caches", {"label": "second", "cluster": "amber"})
        assert status in (200, 201), cache
        second = cache["credential"] if "credential" in cache else cache["credentials"][0]
        servers = region.info()["cache"]["servers"]
        servers = servers.split(",") if isinstance(servers, str) else servers
        wait_for("the new credential works",
                 lambda: works(servers, second["username"], second["password"]), 3)
        one = [region.client(i) for i in range(2)]
        two = [Memcache(s, second["username"], second["password"]) for s in servers]
        for n in range(300):
            one[n % 2].set(f"same:{n}", f"one:{n}")
            two[(n + 1) % 2].set(f"same:{n}", f"two:{n}")
        for n in range(300):
            assert one[(n + 1) % 2].get(f"same:{n}") == f"one:{n}".encode()
            assert two[n % 2].get(f"same:{n}") == f"two:{n}".encode()
        assert two[0].command(b"flush_all\r\n") == b"OK"
        for n in range(300):
            assert one[n % 2].get(f"same:{n}") == f"one:{n}".encode()
            assert two[n % 2].get(f"same:{n}") is None


def works(servers, username, password):
    try:
        for server in servers:
            Memcache(server, username, password).close()
        return True
    except (OSError, MemcacheError):
        return False

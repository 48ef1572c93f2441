"""Clients under way while a test breaks things: each knows every proxy of its cluster."""
import threading
import time

from region import Memcache, MemcacheError


class Worker(threading.Thread):
    """Sets and gets its own numbers through one proxy after another, noting what fails where.

    A failure is (time, proxy index, "connect" or "request", text). At most one request is under way.
    """

    def __init__(self, region, number, stop, pause=0.002):
        super().__init__(daemon=True)
        cache = region.info()["cache"]
        self.servers = region.servers()
        self.username, self.password = cache["username"], cache["password"]
        self.number, self.stop, self.pause = number, stop, pause
        self.connections = [None] * len(self.servers)
        self.failures, self.done = [], 0

    def connection(self, index):
        if self.connections[index] is None:
            self.connections[index] = Memcache(self.servers[index], self.username, self.password)
        return self.connections[index]

    def run(self):
        turn = 0
        while not self.stop.is_set():
            turn += 1
            index = turn % len(self.servers)
            try:
                kind = "connect"
                client = self.connection(index)
                kind = "request"
                key = f"load:{self.number}:{turn % 500}"
                client.set(key, str(turn))
                client.get(key)
                self.done += 2
            except (OSError, MemcacheError) as error:
                self.failures.append((time.monotonic(), index, kind, str(error)))
                if self.connections[index] is not None:
                    self.connections[index].close()
                    self.connections[index] = None
                self.stop.wait(0.01)
            self.stop.wait(self.pause)


class Load:
    """`with Load(region, 8) as load:` runs eight workers until the block ends."""

    def __init__(self, region, workers=8, pause=0.002):
        self.stop = threading.Event()
        self.workers = [Worker(region, n, self.stop, pause) for n in range(workers)]

    def __enter__(self):
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for worker in self.workers:
            worker.join(10)

    def failures(self, since=0.0):
        return [f for w in self.workers for f in w.failures if f[0] >= since]

    def done(self):
        return sum(w.done for w in self.workers)

"""Clients that send a proxy nonsense, 2,000 commands at a time."""
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

CONNECTIONS, BATCH = 2, 2000
COMMANDS, REPLIES = b"nonsense\r\n" * BATCH, len(b"ERROR\r\n" * BATCH)


def flood(server, source, seconds, most, username, password):
    """Until SIGTERM or so long, at most so many commands a second (0: as fast as they are answered);
    prints how many were answered, and in how many seconds."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    ended = None
    host, _, port = server.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20, source_address=(source, 0)) as proxy:
        proxy.sendall(f"set {username} 0 0 {len(password)}\r\n{password}\r\n".encode())
        assert proxy.recv(100) == b"STORED\r\n"
        buffer, answered, begun = bytearray(1 << 20), 0, time.monotonic()
        while ended is None and time.monotonic() < begun + float(seconds):
            proxy.sendall(COMMANDS)
            left = REPLIES
            while left > 0:
                got = proxy.recv_into(buffer, min(left, len(buffer)))
                assert got > 0, "the proxy closed"
                left -= got
            answered += BATCH
            ahead = answered / float(most) - (time.monotonic() - begun) if float(most) else 0
            ended = signal.sigtimedwait([signal.SIGTERM], max(ahead, 0))
        print(answered, time.monotonic() - begun, flush=True)


class Flood:
    """`with Flood(region, 0, "127.0.0.77", 60) as flood:` floods the proxy of that index by two connections
    from that address until the block ends, at most for so many seconds, with `most` commands a second
    (0: as many as it answers). Afterwards `flood.rate` says how many were answered a second."""

    def __init__(self, region, index, source, seconds, most=0):
        cache = region.info()["cache"]
        self.command = [sys.executable, "-B", str(Path(__file__).resolve()), region.servers()[index], source, str(seconds),
                        str(most / CONNECTIONS), cache["username"], cache["password"]]
        self.processes, self.rate = [], 0.0

    def __enter__(self):
        self.processes = [subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True) for _ in range(CONNECTIONS)]
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            said, _ = process.communicate(timeout=30)
            if said:  # else it was ended before it began, or the proxy closed
                answered, seconds = map(float, said.split())
                self.rate += answered / seconds


if __name__ == "__main__":
    flood(*sys.argv[1:])

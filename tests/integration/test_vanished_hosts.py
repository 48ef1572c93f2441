"""Hosts that vanish: no FIN, no RST, nothing. In network namespaces of their own, with the address taken away."""
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from network_namespace import FAR, NEAR, Network, possible  # noqa: E402
from proxy_bed import Client, ProxyBed  # noqa: E402
from region import wait_for  # noqa: E402
from test_hand_over import LOGIN  # noqa: E402
from test_proxy import bed_metrics  # noqa: E402

KEEPALIVE = 2  # seconds
# A part more until the next probe, and what a busy machine takes to look.
GONE_WITHIN = KEEPALIVE + 1 + 2


@pytest.fixture(autouse=True, name="network")
def make_network():
    if not possible():
        pytest.skip("no right to make network namespaces")
    with Network() as network:
        yield network


class Bed(ProxyBed):
    """Its clients come from the far host; so may a backend."""

    def __init__(self, network, far_backend=False, **more):
        super().__init__(**more)
        self.network = network
        if far_backend:
            self.backend_addresses[1] = FAR

    def write_yaml(self):
        super().write_yaml()
        path = self.path / "proxy.yaml"
        lines = path.read_text().replace(f"listen: {{address: {self.address}", f"listen: {{address: {NEAR}")
        path.write_text("\n".join(n for n in lines.splitlines() if not n.startswith("open:")))

    def start_backend(self, i):
        if self.backend_addresses[i] != FAR:
            return super().start_backend(i)
        with self.network.far():
            return super().start_backend(i)

    def far_client(self):
        with self.network.far():
            client = Client(NEAR, self.port)
        self.clients.append(client)
        client.call(LOGIN, b"STORED\r\n")
        return client

    def near_client(self):
        client = Client(NEAR, self.port)
        self.clients.append(client)
        client.call(LOGIN, b"STORED\r\n")
        return client


def test_clients_whose_host_vanishes_are_gone_in_time(network):
    with Bed(network, yaml=f"timeouts: {{keepalive: {KEEPALIVE}s}}") as bed:
        stays = bed.near_client()
        value = b"x" * 500_000
        assert stays.set(b"large", value) == b"STORED\r\n"
        idle = [bed.far_client() for _ in range(20)]
        reader = bed.far_client()
        reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        half = bed.far_client()
        half.send(b"set half 0 0 10\r\n123")
        for _ in range(4):
            reader.send(b"get large\r\n")  # replies are under way, more than the sockets hold
        wait_for("they have been answered", lambda: bed_metrics(bed)["mcguard_proxy_get_hits_total"] >= 4)
        assert bed.control("status")["connections"] == len(idle) + 3
        began = time.monotonic()
        network.far_vanishes()
        wait_for("they are gone", lambda: bed.control("status")["connections"] == 1, GONE_WITHIN)
        print(f"{len(idle)} idle, one in the middle of a request, one that waits for replies: "
              f"gone after {time.monotonic() - began:.2f} s")
        metrics = bed_metrics(bed)
        assert metrics['mcguard_proxy_errors_total{reason="client_vanished"}'] == len(idle) + 2
        assert metrics["mcguard_proxy_connections_closed_total"] == len(idle) + 2
        assert stays.get(b"large") == value, "who is there and silent stays"


def test_clients_that_are_there_are_kept_however_silent(network):
    with Bed(network, yaml=f"timeouts: {{keepalive: {KEEPALIVE}s}}") as bed:
        silent = bed.far_client()
        began = time.monotonic()
        wait_for("others would be gone", lambda: time.monotonic() - began > GONE_WITHIN, GONE_WITHIN + 1)
        assert silent.set(b"k", b"v") == b"STORED\r\n"


def test_a_change_of_keepalive_holds_for_those_who_come_later(network):
    with Bed(network, log_level="info", yaml="timeouts: {keepalive: 0s}") as bed:
        before = bed.far_client()
        bed.yaml = f"timeouts: {{keepalive: {KEEPALIVE}s}}"
        bed.write_yaml()
        bed.process.send_signal(signal.SIGHUP)
        wait_for("it is read", lambda: "config_reloaded" in bed.log())
        later = [bed.far_client() for _ in range(3)]
        assert before.set(b"k", b"v") == b"STORED\r\n"
        network.far_vanishes()
        wait_for("those are gone", lambda: bed.control("status")["connections"] == 1, GONE_WITHIN)
        assert len(later) == 3


def test_a_backend_whose_host_vanishes_is_noticed_by_its_requests(network):
    with Bed(network, far_backend=True) as bed:
        client = bed.near_client()
        near, far = bed.keys(0)[0], bed.keys(1)[0]
        assert client.set(far, b"v") == b"STORED\r\n"
        began = time.monotonic()
        network.far_vanishes()
        answer = client.set(far, b"w")
        took = time.monotonic() - began
        print(f"a write was given up after {took:.2f} s: {answer}")
        assert answer == b"SERVER_ERROR backend timed out\r\n" and took < 2
        assert client.set(near, b"v") == b"STORED\r\n"
        wait_for("it is known to be away", lambda: client.set(far, b"w") == b"SERVER_ERROR backend unavailable\r\n", 2)

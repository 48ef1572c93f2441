"""Unix sockets and IPv6, towards clients and towards backends."""
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from proxy_bed import BIN, PASSWORD, USER, Client, ProxyBed  # noqa: E402
from region import PATIENCE, free_port_base, wait_for  # noqa: E402

LOGIN = b"set %s 0 0 %d\r\n%s\r\n" % (USER.encode(), len(PASSWORD), PASSWORD.encode())


def check_service(client):
    client.call(LOGIN, b"STORED\r\n")
    for i in range(40):  # some on each backend
        assert client.set(b"k%d" % i, b"v%d" % i) == b"STORED\r\n"
        assert client.get(b"k%d" % i) == b"v%d" % i


def test_clients_and_backends_by_unix_socket():
    with ProxyBed(listen=", unix: {path}/memcache.sock, unix_mode: 0600",
                  unix_backends=True) as bed:
        path = bed.path / "memcache.sock"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with Client(str(path)) as client:
            check_service(client)
        check_service(bed.stranger())
        for i in range(2):
            with bed.backend(i) as backend:
                backend.send(b"stats\r\n")
                stats = backend.read_until(b"END\r\n")
                assert b"STAT cmd_set 0\r\n" not in stats
        # A backend that goes and comes back at the same path is found again.
        bed.memcached[0].kill()
        bed.memcached[0].wait()
        client = bed.login()
        key = bed.keys(0)[0]
        wait_for("the dead backend is noticed", lambda: client.set(key, b"1") != b"STORED\r\n", 5)
        bed.start_backend(0)
        bed.write_fence(backends=[0])
        wait_for("it is served from again", lambda: client.set(key, b"2") == b"STORED\r\n", 5)


def test_what_was_sent_before_a_unix_socket_was_closed_is_obeyed():
    """More than may be under way at once, noreply, and the client does not wait for anything."""
    with ProxyBed(listen=", unix: {path}/memcache.sock") as bed:
        path = bed.path / "memcache.sock"
        for count in (10, 3000):
            with Client(str(path)) as client:
                client.call(LOGIN, b"STORED\r\n")
                client.send(b"".join(b"set k%d-%d 0 0 1 noreply\r\n1\r\n" % (count, i) for i in range(count)))
            reader = bed.login()
            wait_for("the last one is there", lambda: reader.get(b"k%d-%d" % (count, count - 1)) == b"1", 10)
            wait_for("the client is gone", lambda: bed.control("status")["connections"] == 1, 5)
            reader.close()


def test_a_unix_client_that_goes_with_answers_outstanding_leaves_nothing_behind():
    """It does not read them, and the hang-up comes while they cannot be sent."""
    with ProxyBed(listen=", unix: {path}/memcache.sock") as bed:
        bed.login().set(b"big", bytes(900_000))
        inside = bed.control("status")["connections"]
        for half_closed in (False, True) * 5:
            client = Client(str(bed.path / "memcache.sock"))
            client.call(LOGIN, b"STORED\r\n")
            client.send(b"get big big big big\r\n")
            assert client.line() == b"VALUE big 0 900000\r\n"
            if half_closed:
                client.socket.shutdown(socket.SHUT_WR)
            client.socket.shutdown(socket.SHUT_RDWR)
            client.close()
        wait_for("they are gone", lambda: bed.control("status")["connections"] == inside, 5)


def test_a_socket_in_use_is_not_taken_and_a_dead_one_is():
    with ProxyBed(listen=", unix: {path}/memcache.sock") as bed:
        path = bed.path / "memcache.sock"
        second = bed.path / "second.yaml"
        text = (bed.path / "proxy.yaml").read_text().replace(bed.address, "127.0.0.1")
        text = text.replace("port: 11211", "port: 0").replace("port: 7490", "port: 0")
        text = text.replace("port: 11213", "port: 0")
        for name in ("state", "proxy.sock", "proxy.seg", "proxy.log"):
            text = text.replace(f"{bed.path}/{name}", f"{bed.path}/second-{name}")
        second.write_text(text)
        done = subprocess.run([BIN / "mcguard-proxy", "--config", second], capture_output=True,
                              timeout=10 * PATIENCE, check=False)
        assert done.returncode == 1
        assert b"another process already listens on" in done.stdout + done.stderr, done
        with Client(str(path)) as client:
            check_service(client)
        bed.kill_proxy()
        assert path.exists()
        bed.start_proxy()
        wait_for("it serves again", lambda: not bed.control("status")["fenced_backends"], 5)
        with Client(str(path)) as client:
            check_service(client)
        bed.process.terminate()
        bed.process.wait(10 * PATIENCE)
        assert not path.exists()


class Ipv6Bed(ProxyBed):
    """Everything on ::1, whose ports all tests share."""

    def __init__(self):
        super().__init__(backends=1)
        self.address = "'::1'"
        self.backend_addresses = ["::1"]
        ports = free_port_base()
        self.port, self.open_port, self.metrics_port = ports, ports + 1, ports + 2
        self.backend_port = ports + 3


def test_ipv6_on_both_sides():
    with Ipv6Bed() as bed:
        with Client("::1", bed.port) as client:
            check_service(client)
        with Client("::1", bed.open_port) as client:
            client.call(b"get k1\r\n", b"VALUE k1 0 2\r\nv1\r\nEND\r\n")

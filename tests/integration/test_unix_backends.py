"""A region whose backends listen on Unix sockets, as its definition says."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from region import BIN, Region, wait_for  # noqa: E402


@pytest.fixture(name="sockets")
def make_sockets():
    """A folder in one that memcached's user can reach; it is for the agent to make."""
    with tempfile.TemporaryDirectory(prefix="mcguard-") as top:
        os.chmod(top, 0o755)
        yield Path(top) / "made"


def use_sockets(region, sockets):
    """Puts paths in the place of the backends' addresses."""
    definition = region.directory / "agent.yaml"
    text, count = re.subn(r"(id: (\w+-backend-\d), address: )[\d.]+", rf"\1{sockets}/\2.sock",
                          definition.read_text())
    assert count == 4, text
    definition.write_text(text)


def listening_on(pid):
    """Whether this process has a TCP socket that listens."""
    shown = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    return f"pid={pid}," in shown


def test_backends_by_unix_sockets_serve_and_are_replaced(sockets):
    with Region() as region:
        region.stop()
        use_sockets(region, sockets)
        (region.directory / "region.json").unlink(missing_ok=True)
        region.start()
        wait_for("both proxies serve", lambda: region.serves(0) and region.serves(1), 30)
        client, other = region.client(0), region.client(1)
        for n in range(50):
            client.set(f"unix:{n}", str(n))
        assert all(other.get(f"unix:{n}") == str(n).encode() for n in range(50))

        backend = region.backend("amber-backend-1")
        path = f"{sockets}/amber-backend-1.sock"
        assert (backend["address"], backend["port"]) == (path, 0)
        assert not listening_on(backend["pid"])
        shown = subprocess.run([BIN / "mcguard", "backend", "list", "--dir", region.directory], text=True,
                               capture_output=True, timeout=10, check=False)
        assert path in shown.stdout, shown
        with urllib.request.urlopen(region.url("operator") + "/", timeout=10) as page:
            assert path in page.read().decode(), "the console"

        os.kill(backend["pid"], signal.SIGKILL)
        wait_for("it is replaced", lambda: region.backend("amber-backend-1")["pid"]
                 not in (0, backend["pid"]), 60)
        wait_for("all serve again", lambda: region.serves(0) and region.serves(1), 60)


def test_a_socket_where_there_cannot_be_one_is_named():
    with Region() as region:
        region.stop()
        definition = region.directory / "agent.yaml"
        definition.write_text(definition.read_text().replace("address: 127.0.1.11", "address: run/b.sock"))
        done = subprocess.run([BIN / "mcguard-agent", "--dir", region.directory, "--check"], text=True,
                              capture_output=True, timeout=10, check=False)
        assert done.returncode == 2, done
        assert re.search(r'agent.yaml:\d+:\d+: clusters\[0\].backends\[0\].address: got "run/b.sock", '
                         "expected an IPv4 or IPv6 address, or the absolute path of a Unix socket",
                         done.stderr), done.stderr

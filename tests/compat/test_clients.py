"""Clients of other people, unmodified, against a real region."""
import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path

import pylibmc
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from region import Region, wait_for  # noqa: E402

HERE = Path(__file__).resolve().parent
PYTHON = ("/usr/bin/python3", "-B", "client.py")
# What prints the line that check_common reads, given SERVERS USERNAME PASSWORD and perhaps CA.
CLIENTS = {
    "memjs": ("node", "client.js"),
    "dalli": ("ruby", "client.rb"),
    "python-memcache": (*PYTHON, "memcache"),
    "pymemcache": (*PYTHON, "pymemcache"),
    "bmemcached": (*PYTHON, "bmemcached"),
    "php-memcached": ("php", "client.php"),
    "spymemcached": ("java", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/spymemcached.jar", "Client.java"),
}
# By themselves, in the versions of Debian 12 and npm; the others get a tunnel.
SPEAK_TLS = ("dalli", "pymemcache", "bmemcached")
TUNNEL = "127.93.11.1"


@pytest.fixture(scope="module")
def region():
    with Region() as started:
        yield started


@pytest.fixture(scope="module")
def credentials(region):
    """(servers, with every capability, without flush, without write)"""
    cache = region.info()["cache"]
    made = {}
    for name, body in {"noflush": {"flush": False}, "readonly": {"write": False}}.items():
        status, value = region.api("/api/v1/credentials", {"cache": cache["id"], **body})
        assert status in (200, 201), value
        made[name] = (value["username"], value["password"])
    servers = cache["servers"]
    servers = servers if isinstance(servers, str) else ",".join(servers)
    return servers, (cache["username"], cache["password"]), made["noflush"], made["readonly"]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=HERE, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout.splitlines()[-1])


def check_common(seen):
    assert seen["set"] is True, seen
    assert seen["get"] == "one"
    assert seen["miss"] is None
    assert seen["add"] is False
    assert seen["replace"] is True
    assert seen["incr"] == 7
    assert seen["incr2"] == 12
    assert seen["get2"] == "three!"
    assert seen.get("touch", True) is True, "not every library has it"
    assert seen.get("set_multi", True) is True
    assert seen.get("multi", 50) == 50
    assert seen.get("cas", True) is True
    assert seen.get("cas_again", False) is False
    assert seen["delete"] is True
    assert seen["deleted"] is None


def check_everything(seen):
    check_common(seen)
    assert "flushError" not in seen, seen
    assert seen["kept"] is None, "flushed"


@pytest.mark.parametrize("name", CLIENTS)
def test_client_with_every_capability_can_do_everything(name, credentials):
    servers, full, _, _ = credentials
    check_everything(run(*CLIENTS[name], servers, *full))


@pytest.mark.parametrize("name", CLIENTS)
def test_flush_without_the_capability_is_refused_and_keeps_the_data(name, credentials):
    servers, _, noflush, _ = credentials
    seen = run(*CLIENTS[name], servers, *noflush)
    check_common(seen)
    assert seen["kept"] == "kept"


@pytest.mark.parametrize("name", SPEAK_TLS)
def test_client_can_do_everything_by_tls(name, region, credentials):
    _, full, _, _ = credentials
    servers = ",".join(f"{p['address']}:{p['tls_port']}" for p in region.cluster()["proxies"])
    certificate = str(region.directory / "tls.pem")
    check_everything(run(*CLIENTS[name], servers, *full, certificate))


def free_ports(count):
    """Free when this looked: on an address of our own, so that hardly anybody takes one meanwhile."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((TUNNEL, 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="module")
def tunnel(region, tmp_path_factory):
    """The servers of a stunnel as docs/proxy.md sets it up beside clients that cannot TLS."""
    proxies = region.cluster()["proxies"]
    ports = free_ports(len(proxies))
    config = "foreground = yes\npid =\n"
    for proxy, port in zip(proxies, ports):
        config += (f"[{proxy['id']}]\nclient = yes\naccept = {TUNNEL}:{port}\n"
                   f"connect = {proxy['address']}:{proxy['tls_port']}\nverifyChain = yes\n"
                   f"CAfile = {region.directory / 'tls.pem'}\ncheckIP = {proxy['address']}\n")
    folder = tmp_path_factory.mktemp("tunnel")
    (folder / "stunnel.conf").write_text(config)
    with open(folder / "log", "wb") as log, \
            subprocess.Popen(["stunnel4", folder / "stunnel.conf"], stdout=log, stderr=log) as process:
        def listens():
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(ConnectionRefusedError):
                for port in ports:
                    socket.create_connection((TUNNEL, port), 2).close()
                return True
        try:
            wait_for("stunnel listens", listens)
            yield ",".join(f"{TUNNEL}:{port}" for port in ports)
        finally:
            process.terminate()


@pytest.mark.parametrize("name", [name for name in CLIENTS if name not in SPEAK_TLS])
def test_client_that_cannot_tls_can_do_everything_by_stunnel(name, tunnel, credentials):
    check_everything(run(*CLIENTS[name], tunnel, *credentials[1]))


def test_pylibmc_by_stunnel(tunnel, credentials):
    client = pylibmc_client(tunnel, credentials[1])
    values = {f"compat:tunnel:{i}": "x" * i * 1000 for i in range(50)}
    assert client.set_multi(values) == []
    assert client.get_multi(list(values)) == values


@pytest.mark.parametrize("name", CLIENTS)
def test_a_wrong_password_stores_nothing(name, credentials):
    servers, full, _, _ = credentials
    command = [*CLIENTS[name], servers, full[0], "0" * 32]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=HERE, check=False)
    if done.returncode == 0:
        seen = json.loads(done.stdout.splitlines()[-1])
        assert not any([seen["set"], seen["get"], seen["keep"], seen["kept"]]), seen


TOOLS_KEY = "compat-tools.txt"


@pytest.fixture(scope="module")
def tools(region, credentials, tmp_path_factory):
    """Runs a tool of libmemcached, logged in by SASL; (exit status, standard output)."""
    servers, full, _, _ = credentials
    folder = tmp_path_factory.mktemp("tools")

    def tool(name, *arguments, who=full):
        done = subprocess.run([name, f"--servers={servers}", "--binary", f"--username={who[0]}",
                               f"--password={who[1]}", *arguments],
                              capture_output=True, text=True, timeout=30, cwd=folder, check=False)
        return done.returncode, done.stdout

    (folder / TOOLS_KEY).write_text("of a file\n")
    return tool


def test_libmemcacheds_tools(tools):
    assert tools("memccp", TOOLS_KEY)[0] == 0
    assert tools("memccat", TOOLS_KEY) == (0, "of a file\n\n")
    assert tools("memcexist", TOOLS_KEY)[0] == 0
    assert tools("memctouch", "--expire=100", TOOLS_KEY)[0] == 0
    assert "cmd_set" in tools("memcstat")[1]
    assert tools("memcrm", TOOLS_KEY)[0] == 0
    assert tools("memcexist", TOOLS_KEY)[0] != 0
    assert tools("memccp", TOOLS_KEY)[0] == 0
    assert tools("memcflush")[0] == 0
    assert tools("memcexist", TOOLS_KEY)[0] != 0, "flushed"


def test_libmemcacheds_tools_with_a_wrong_password(tools, credentials):
    assert tools("memccp", TOOLS_KEY, who=(credentials[1][0], "0" * 32))[0] != 0
    assert tools("memcexist", TOOLS_KEY)[0] != 0


def pylibmc_client(servers, who, binary=True):
    return pylibmc.Client(servers.split(","), binary=binary, username=who[0], password=who[1],
                          behaviors={"tcp_nodelay": True, "cas": True, "connect_timeout": 2000})


def test_pylibmc_authenticates_and_does_everything(credentials):
    servers, full, _, _ = credentials
    client = pylibmc_client(servers, full)
    assert client.set("compat:pylibmc", "one", time=60)
    assert client.get("compat:pylibmc") == "one"
    assert client.get("compat:nothing") is None
    assert not client.add("compat:pylibmc", "two")
    assert client.replace("compat:pylibmc", "three")
    assert client.set_multi({f"compat:{i}": i for i in range(50)}) == []
    assert client.get_multi([f"compat:{i}" for i in range(60)]) == {f"compat:{i}": i for i in range(50)}
    assert client.set("compat:n", 5)
    assert client.incr("compat:n", 3) == 8
    assert client.decr("compat:n", 1) == 7
    value, token = client.gets("compat:pylibmc")
    assert value == "three"
    assert client.cas("compat:pylibmc", "four", token)
    assert client.get("compat:pylibmc") == "four"
    assert client.delete("compat:pylibmc")
    assert client.get("compat:pylibmc") is None
    assert client.flush_all()
    assert client.get("compat:1") is None


def test_pylibmc_sees_flush_refused_without_the_capability(credentials):
    servers, _, noflush, _ = credentials
    client = pylibmc_client(servers, noflush)
    assert client.set("compat:keep", "kept")
    try:
        client.flush_all()  # libmemcached does not look at the answer to a flush
    except pylibmc.Error:
        pass
    assert client.get("compat:keep") == "kept", "refused, and the same connection goes on"


def test_pylibmc_without_write_capability_sees_value_not_set(credentials):
    servers, full, _, readonly = credentials
    writer = pylibmc_client(servers, full)
    reader = pylibmc_client(servers, readonly)
    assert writer.set("compat:shared", "written")
    assert reader.get("compat:shared") == "written"
    assert not reader.set("compat:shared", "overwritten")
    assert reader.get("compat:shared") == "written"


def test_wrong_password_is_refused(credentials):
    servers, full, _, _ = credentials
    client = pylibmc_client(servers, (full[0], "0" * 32))
    with pytest.raises(pylibmc.Error):
        client.set("compat:wrong", "value")


def test_libmemcacheds_conformance_test_by_the_open_listener_of_a_region():
    with Region("--open") as region:
        address, _, port = region.cluster()["open"].rpartition(":")
        for protocol in ("-a", "-b"):
            done = subprocess.run(["memccapable", "-h", address, "-p", port, protocol], capture_output=True,
                                  text=True, timeout=60, check=False)
            assert done.stdout.count("[pass]") == 27 and "[FAIL]" not in done.stdout, done.stdout
            assert done.returncode == 0

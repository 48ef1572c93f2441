"""Clients of other people, unmodified, against a real region."""
import json
import subprocess
import sys
from pathlib import Path

import pylibmc
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from region import Region  # noqa: E402

HERE = Path(__file__).resolve().parent


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
    assert seen["set"] is True
    assert seen["get"] == "one"
    assert seen["miss"] is None
    assert seen["add"] is False
    assert seen["replace"] is True
    assert seen["incr"] == 7
    assert seen["incr2"] == 12
    assert seen["get2"] == "three!"
    assert seen["touch"] is True
    assert seen["delete"] is True
    assert seen["deleted"] is None


@pytest.mark.parametrize("command", [("node", "client.js"), ("ruby", "client.rb")])
def test_client_with_every_capability_can_do_everything(command, credentials):
    servers, full, _, _ = credentials
    seen = run(*command, servers, *full)
    check_common(seen)
    assert "flushError" not in seen, seen
    assert seen["kept"] is None, "flushed"


@pytest.mark.parametrize("command", [("node", "client.js"), ("ruby", "client.rb")])
def test_flush_without_the_capability_is_refused_and_keeps_the_data(command, credentials):
    servers, _, noflush, _ = credentials
    seen = run(*command, servers, *noflush)
    check_common(seen)
    assert seen["kept"] == "kept"


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

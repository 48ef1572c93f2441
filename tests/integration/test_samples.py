"""What a proxy's telemetry says of busy keys, clients and slow requests, read by the tool."""
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from proxy_bed import ProxyBed  # noqa: E402
from region import BIN, Region, wait_for  # noqa: E402


def tool(*words, status=0):
    done = subprocess.run([BIN / "mcguard", *words], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def shown(bed, *words):
    return json.loads(tool(*words, "--segment", str(bed.path / "proxy.seg"), "-o", "json"))


def metric(bed, name):
    with urllib.request.urlopen(f"http://{bed.address}:{bed.metrics_port}/metrics", timeout=5) as a:
        text = a.read().decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    return float(found.group(1)) if found else None


def test_busy_keys_of_each_cache_and_the_busiest_clients():
    with ProxyBed(yaml="samples: {keys_one_in: 8}") as bed:
        one, two = bed.login(), bed.login("OTHER1")
        one.set(b"hot", b"v" * 10)
        for i in range(3000):
            assert one.get(b"hot") == b"v" * 10
            if i % 10 == 0:
                one.set(b"cold-%d" % (i % 70), b"x")
                assert two.get(b"missed") is None
        answer = shown(bed, "top", "keys")
        busiest = answer["keys"][0]
        assert (busiest["key"], busiest["cache"]) == ("hot", 1)
        assert 3000 / 8 * 0.7 < busiest["samples"] < 3000 / 8 * 1.3, busiest
        assert busiest["share"] > 0.7 and busiest["misses"] == 0 and busiest["writes"] < 0.05
        assert busiest["at_most_too_high"] == 0
        other = shown(bed, "top", "keys", "--cache", "2")["keys"]
        assert [(k["key"], k["misses"]) for k in other] == [("missed", 1)]
        assert [k["key"] for k in shown(bed, "top", "keys", "--limit", "1")["keys"]] == ["hot"]
        assert 0.6 < metric(bed, "mcguard_proxy_busiest_key_share") <= 1
        assert metric(bed, 'mcguard_proxy_request_duration_seconds_count{operation="get"}') == 3300

        clients = shown(bed, "top", "clients", "--over", "0")["clients"]
        assert clients[0]["address"].startswith("127.") and clients[0]["requests"] >= 3600
        table = tool("top", "keys", "--segment", str(bed.path / "proxy.seg"))
        assert "hot" in table and "samples, one key in 8" in table


def test_keys_are_hashes_when_the_owner_wants_it_and_escaped_otherwise():
    with ProxyBed(yaml="samples: {keys_one_in: 1, keys: hash}") as bed:
        client = bed.binary_login()
        secret = b"\x1b[2Jsecret"
        for _ in range(10):
            client.binary(0x01, secret, b"v", b"\0" * 8)
        assert secret[4:] not in (bed.path / "proxy.seg").read_bytes()
        hashed = shown(bed, "top", "keys")["keys"][0]
        assert re.fullmatch("#[0-9a-f]{16}", hashed["key"])
        bed.yaml = "samples: {keys_one_in: 1}"
        bed.write_yaml()
        bed.process.send_signal(signal.SIGHUP)
        wait_for("it has reloaded", lambda: "config_reloaded" in bed.log(), 5)
        client.binary(0x01, b"\x1bother", b"v", b"\0" * 8)
        keys = {k["key"] for k in shown(bed, "top", "keys")["keys"]}
        assert keys == {hashed["key"], "\\x1bother"}, keys
        assert b"\x1bother" in (bed.path / "proxy.seg").read_bytes()
        bed.yaml = "samples: {keys_one_in: 1, keys: hash}"
        bed.write_yaml()
        bed.process.send_signal(signal.SIGHUP)
        wait_for("what was readable is gone", lambda: b"\x1bother" not in (
            bed.path / "proxy.seg").read_bytes(), 5)
        assert len(shown(bed, "top", "keys")["keys"]) == 2


def test_a_slow_request_says_where_its_time_went():
    with ProxyBed(yaml="samples: {slow: 50ms}\ntimeouts: {request: 5s}") as bed:
        client = bed.login()
        key = bed.keys(backend=1)[0]
        assert client.get(key) is None
        assert shown(bed, "slow")["requests"] == []
        bed.stop_backend(1)
        client.send(b"get " + key + b"\r\n")
        wait_until_late(bed, "b1", gets=2)
        bed.continue_backend(1)
        assert client.line() == b"END\r\n"
        found = wait_for("its sample is complete", lambda: [
            r for r in shown(bed, "slow")["requests"] if r["written_seconds"] is not None], 5)
        assert len(found) == 1
        request = found[0]
        assert (request["operation"], request["backend"], request["cache"], request["key"]) == (
            "get", "b1", 1, key.decode())
        assert request["outcome"] in ("answered", "fenced")
        assert 0.05 <= request["backend_seconds"] < 5 and request["queued_seconds"] < 0.05
        assert request["client"].startswith("127.")
        assert shown(bed, "slow", "--cache", "2")["requests"] == []
        assert metric(bed, "mcguard_proxy_slow_requests_total") == 1
        assert "1 slow requests since the start, 1 kept" in tool(
            "slow", "--segment", str(bed.path / "proxy.seg"))


def wait_until_late(bed, backend, gets):
    """Until what the proxy sent to a backend that stands still has waited for more than 100 ms."""
    def age():  # grows while the backend stands still
        return metric(bed, f'mcguard_proxy_backend_fence_age_seconds{{backend="{backend}"}}')
    wait_for("the proxy has them", lambda: metric(
        bed, 'mcguard_proxy_requests_total{operation="get"}') >= gets, 5)
    begun = age()
    wait_for("they are late", lambda: age() > begun + 0.1, 5)


def test_a_backend_that_makes_everything_slow_leaves_few_samples():
    with ProxyBed(workers=1, yaml="samples: {slow: 50ms, slow_per_second: 3}\n"
                                  "timeouts: {request: 5s}") as bed:
        client = bed.login()
        keys = bed.keys(backend=0, count=200)
        for key in keys:  # a connection may have one more under way for each reply
            assert client.get(key) is None
        bed.stop_backend(0)
        client.send(b"".join(b"get " + key + b"\r\n" for key in keys))
        wait_until_late(bed, "b0", gets=400)
        bed.continue_backend(0)
        for _ in keys:
            assert client.line() == b"END\r\n"
        answer = shown(bed, "slow")
        assert answer["slow_requests"] == 200
        assert 1 <= answer["kept"] == len(answer["requests"]) <= 6


def test_the_tool_finds_a_regions_segments_and_says_so_when_there_are_none(tmp_path):
    text = tool("top", "keys", "--dir", str(tmp_path), status=4)
    assert "--segment" in text
    assert "Examples:" in tool("slow", "--help")
    with Region() as region:
        client = region.client()
        for n in range(20):
            client.set(f"k{n}", "1")
        answer = json.loads(tool("top", "clients", "--over", "0", "--dir", str(region.directory),
                                 "-o", "json"))
        assert "amber-proxy-1" in answer["proxies"]
        assert sum(c["requests"] for c in answer["clients"]) >= 20
        check_api(region)


def check_api(region):
    """The agent shows the same; what has keys in it to whoever has the token."""
    status, clients = region.api("/api/v1/samples/clients?over_ms=0&proxy=amber-proxy-1")
    assert (status, clients["proxies"]) == (200, ["amber-proxy-1"])
    assert sum(c["requests"] for c in clients["clients"]) >= 20, clients
    for path in ("keys", "slow"):
        status, shown = region.api(f"/api/v1/samples/{path}?limit=5")
        assert status == 200 and len(shown["proxies"]) == 4, shown
        with pytest.raises(urllib.error.HTTPError) as refused:
            region.get_json("operator", f"/api/v1/samples/{path}")
        assert refused.value.code == 401
    assert region.api("/api/v1/samples/keys?proxy=nobody")[0] == 404
    assert region.api("/api/v1/samples/keys?limit=many")[0] == 400

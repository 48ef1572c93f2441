"""The life of a region: up, take-over, restarts, down, and what goes wrong at the start."""
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from region import BIN, Region, alive, wait_for  # noqa: E402


def up(*arguments):
    return subprocess.run([BIN / "mcguard", "up", *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, check=False)


def test_region_json_tells_what_runs():
    with Region("--open") as region:
        info = region.info()
        assert [c["name"] for c in info["clusters"]] == ["amber", "birch"]
        for cluster in info["clusters"]:
            assert len(cluster["proxies"]) == 2 and len(cluster["backends"]) == 2
            for process in cluster["proxies"] + cluster["backends"]:
                assert alive(process["pid"]), process
                socket.create_connection((process["address"], process["port"]), 2).close()
            host, _, port = cluster["open"].rpartition(":")
            with socket.create_connection((host, int(port)), 2) as client:
                client.sendall(b"set hello 0 0 5\r\nworld\r\nget hello\r\nquit\r\n")
                answer = b""
                while chunk := client.recv(4096):
                    answer += chunk
                assert answer == b"STORED\r\nVALUE hello 0 5\r\nworld\r\nEND\r\n"
        assert {"operator", "status", "customer", "metrics"} <= set(info["urls"])
        client = region.client()
        client.set("hello", "world")
        assert region.client(1).get("hello") == b"world", "both proxies have the same view"


def test_every_proxy_serves_by_tls_with_the_certificate_of_the_region():
    with Region() as region:
        context = ssl.create_default_context(cafile=region.directory / "tls.pem")
        for proxy in [p for c in region.info()["clusters"] for p in c["proxies"]]:
            with socket.create_connection((proxy["address"], proxy["tls_port"]), 2) as raw:
                with context.wrap_socket(raw, server_hostname=proxy["address"]) as client:
                    client.sendall(b"get a\r\n")
                    assert client.recv(100) == b"CLIENT_ERROR unauthenticated\r\n"
        done = subprocess.run([BIN / "mcguard", "bench", "--dir", region.directory, "--tls", "--connections",
                               "4", "--keys", "100", "--warmup", "100ms", "--duration", "300ms", "-o",
                               "json"], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["errors"] == 0, done.stdout


def test_a_killed_agent_is_restarted_and_adopts_what_runs():
    with Region() as region:
        before = region.info()
        client = region.client()
        client.set("kept", "1")
        os.kill(before["agent"]["pid"], signal.SIGKILL)
        assert client.get("kept") == b"1", "proxies serve on without an agent"
        wait_for("a new agent is ready", lambda: region.info()["agent"]["pid"] not in
                 (0, before["agent"]["pid"]) and is_ready(region), 10)
        after = region.info()
        assert after["clusters"] == before["clusters"], "nothing was restarted"
        assert client.get("kept") == b"1"


def is_ready(region):
    try:
        return region.status()["agent"]["pid"] == region.info()["agent"]["pid"]
    except OSError:
        return False


def test_the_page_server_is_restarted():
    with Region() as region:
        pid = int((region.directory / "run/page.lock").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        wait_for("the page is served again", lambda: page_answers(region), 10)


def page_answers(region):
    try:
        return region.get_json("status", "/api/v2/status.json")
    except OSError:
        return None


def test_a_second_up_takes_over_and_the_first_says_so():
    with Region() as first:
        before = first.info()
        second = Region(directory=first.directory, port_base=first.port_base)
        second.start(wait=False)
        first.process.wait(timeout=20)
        assert first.process.returncode == 0
        assert "taken over" in first.up_log()
        wait_for("the second knows the region", lambda: second.up_log().count("taken over") and
                 page_answers(second), 20)
        assert second.info()["clusters"] == before["clusters"]
        assert second.info()["agent"] == before["agent"]
        first.process = None
        second.stop()
        assert not any(alive(p["pid"]) for c in before["clusters"] for p in c["proxies"])


def test_a_second_up_takes_over_from_a_killed_first():
    with Region() as first:
        before = first.info()
        first.process.kill()
        first.process.wait()
        second = Region(directory=first.directory, port_base=first.port_base)
        second.start(wait=False)
        wait_for("the second adopted the agent", lambda: "adopt" in second.up_log(), 20)
        assert second.info()["clusters"] == before["clusters"]
        first.process = None
        second.stop()
        assert not any(alive(p) for p in [before["agent"]["pid"]])


def test_down_stops_a_region_from_elsewhere():
    with Region() as region:
        pids = region.pids()
        region.tool("down")
        wait_for("everything has ended", lambda: not any(alive(p) for p in pids), 20)
        assert region.process.wait(timeout=10) == 0
        region.process = None


def test_a_restarted_region_keeps_its_caches_and_credentials(tmp_path):
    with Region(directory=tmp_path) as region:
        first = region.info()["cache"]
    with Region(directory=tmp_path, port_base=region.port_base) as region:
        assert region.info()["cache"] == first
        region.client().set("again", "1")


def test_a_port_in_use_is_one_clear_sentence(tmp_path):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        base = taken.getsockname()[1] - 20
        done = up("--dir", tmp_path, "--port-base", base)
        assert done.returncode == 1, done
        assert str(base + 20) in done.stderr and "--port-base" in done.stderr, done.stderr


def test_a_bad_definition_names_its_places_and_exits_2(tmp_path):
    with Region(directory=tmp_path):
        pass
    definition = tmp_path / "agent.yaml"
    text = definition.read_text()
    definition.write_text(text.replace("region:", "regoin:", 1).replace("weight: 1", "weight: many", 1))
    done = up("--dir", tmp_path)
    assert done.returncode == 2, done
    assert "agent.yaml:1:1" in done.stderr and "regoin" in done.stderr, done.stderr
    assert "many" in done.stderr, done.stderr


def test_missing_memcached_is_one_clear_sentence(tmp_path):
    with Region(directory=tmp_path):
        pass
    definition = tmp_path / "agent.yaml"
    definition.write_text(definition.read_text().replace("/usr/bin/memcached", "/nonexistent/memcached"))
    done = up("--dir", tmp_path)
    assert done.returncode in (1, 2), done
    assert "/nonexistent/memcached" in done.stderr and "install" in done.stderr, done.stderr


def test_nothing_prints_a_password_but_up(tmp_path):
    with Region(directory=tmp_path) as region:
        password = region.info()["cache"]["password"]
        client = region.client()
        client.set("secret-key-name", "secret-value-text")
        region.tool("status")
        region.tool("status", "-o", "json")
        shown = json.dumps(region.status())
        assert password not in shown
    for path in sorted((tmp_path / "log").glob("*")):
        text = path.read_text(errors="replace")
        for secret in (password, "secret-key-name", "secret-value-text"):
            assert secret not in text, path

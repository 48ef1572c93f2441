"""`stats`: the list that customers script against, each number as this proxy knows it."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from proxy_bed import USER, ProxyBed  # noqa: E402
from region import wait_for  # noqa: E402

LIST = """auth_cmds auth_errors bytes bytes_read bytes_written cas_badval cas_hits cas_misses
    cmd_delete cmd_flush cmd_get cmd_set cmd_touch curr_connections curr_items decr_hits decr_misses
    delete_hits delete_misses evictions expired get_hits get_misses incr_hits incr_misses
    limit_maxbytes time total_connections total_items touch_hits touch_misses""".split()


def stats(client):
    client.send(b"stats\r\n")
    return read_stats(client)


def read_stats(client):
    found = {}
    while (line := client.line()) != b"END\r\n":
        _, name, value = line.split()
        found[name.decode()] = value.decode()
    return {k: int(v) for k, v in found.items() if v.isdigit()}


def store(clients, keys, exptime=0, size=100):
    for at in range(0, len(keys), 100):
        client = clients[at // 100 % len(clients)]
        part = keys[at:at + 100]
        client.send(b"".join(b"set %s 0 %d %d\r\n%s\r\n" % (k, exptime, size, b"v" * size)
                             for k in part))
        assert client.read(8 * len(part)) == b"STORED\r\n" * len(part)


def test_what_came_before_it_in_the_same_packet_counts():
    with ProxyBed() as bed:
        client = bed.login()
        before = stats(client)
        commands, replies = b"get a\r\nset a 0 0 1\r\nx\r\nget a b\r\n", b"END\r\nSTORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n"
        client.send(commands + b"stats\r\n")
        assert client.read(len(replies)) == replies
        after = read_stats(client)
        grown = {name: after[name] - before[name] for name in ("get_hits", "get_misses", "cmd_set", "bytes_read")}
        assert grown == {"get_hits": 1, "get_misses": 2, "cmd_set": 1, "bytes_read": len(commands) + len(b"stats\r\n")}
        client.send(b"get b\r\nstats reset\r\n")
        assert client.read(len(b"END\r\nRESET\r\n")) == b"END\r\nRESET\r\n"
        assert stats(client)["get_misses"] == 0


def test_every_name_of_the_customer_api_is_there_and_items_are_estimated():
    with ProxyBed() as bed:
        bed.configure(caches=[{"id": c, "label": f"c{c}", "generation": 1, "enabled": True,
                               "limit_bytes": 100 << 20, "connection_limit": 0}
                              for c in bed.caches])
        # Several connections: more than one worker serves the cache.
        clients = [bed.login() for _ in range(6)]
        other = bed.login("OTHER1")
        assert not set(LIST) - set(stats(clients[0])), stats(clients[0])
        keys = [b"item:%d" % i for i in range(20000)]
        store(clients, keys)
        seen = stats(clients[1])
        error = seen["items_error_percent"] / 100
        assert 0.05 < error < 0.2, error
        assert abs(seen["curr_items"] / len(keys) - 1) < error, seen
        each = seen["bytes"] / seen["curr_items"]
        assert 100 + 10 + 56 + 14 <= each <= 100 + 10 + 56 + 30, each
        assert (seen["evictions"], seen["expired"]) == (0, 0)
        assert seen["limit_maxbytes"] == 100 << 20
        assert stats(other)["curr_items"] == 0

        for key in keys[:10000]:
            clients[0].send(b"delete " + key + b" noreply\r\n")
        clients[0].call(b"mn\r\n", b"MN\r\n")
        assert abs(stats(clients[2])["curr_items"] / 10000 - 1) < 2 * error

        # Behind the proxy's back, as memcached evicts: noticed when they are asked for.
        for i in range(2):
            with bed.backend(i) as backend:
                backend.call(b"flush_all\r\n", b"OK\r\n")
        bed.write_fence()
        bed.wait_unfenced()

        def all_are_noticed():  # a miss of the proxy's own, while it is fenced, says nothing of the item
            for key in keys[10000:]:
                assert clients[3].get(key) is None
            return stats(clients[4])["curr_items"] == 0
        wait_for("no item is left", all_are_noticed, 10)
        seen = stats(clients[4])
        assert abs(seen["evictions"] / 10000 - 1) < 2 * error, seen
        bed.flush(1, 2)
        store(clients, keys[:2000], exptime=1)
        wait_for("they have expired", lambda: stats(clients[0])["expired"] > 0, 5)
        wait_for("all have", lambda: stats(clients[0])["curr_items"] == 0, 5)


def test_stats_of_the_proxy_tell_a_tenant_nothing_of_others():
    with ProxyBed() as bed:
        client = bed.login()
        client.send(b"stats proxy\r\n")
        lines = client.read_until(b"END\r\n").split(b"\r\n")
        found = dict(line.split()[1:] for line in lines if line.startswith(b"STAT"))
        assert found.pop(b"version") and int(found.pop(b"uptime")) >= 0
        assert found == {b"epoch": b"1", b"backends": b"2", b"backends_connected": b"2",
                         b"request_timeout_ms": b"1000"}
        client.call(b"stats items\r\n", b"END\r\n")
        client.call(b"stats nonsense\r\n", b"ERROR\r\n")
        binary = bed.binary_login()
        assert binary.binary(0x10, b"proxy").key == b"version"


def test_wrong_passwords_are_counted_for_the_cache_whose_user_they_name():
    with ProxyBed() as bed:
        client, other = bed.login(), bed.login("OTHER1")
        stranger = bed.stranger()
        stranger.ask(b"set %s 0 0 5\r\nwrong\r\n" % USER.encode())
        stranger.ask(b"set NOBODY 0 0 5\r\nwrong\r\n")
        assert stats(client)["auth_errors"] == 1
        assert stats(other)["auth_errors"] == 0
        client.call(b"stats reset\r\n", b"RESET\r\n")
        assert stats(client)["auth_errors"] == 0

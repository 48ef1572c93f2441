"""A Python client library against a mcguard cache: prints one JSON line of what happened.

    client.py LIBRARY SERVERS USERNAME PASSWORD [CA]     with CA, by TLS

The libraries of the text protocol know nothing of authentication: as they would in an application,
their connections log in with a first set of username to password.
"""
import json
import ssl
import sys


def split(servers):
    return [(host, int(port)) for host, _, port in (s.rpartition(":") for s in servers.split(","))]


def tls_context(ca):
    return ssl.create_default_context(cafile=ca) if ca else None


class PythonMemcache:
    def __init__(self, servers, username, password, _):
        import memcache
        self.client = memcache.Client(servers.split(","), socket_timeout=2, cache_cas=True)
        for index in range(len(self.client.servers)):
            assert self.client.set((index, username), password)
        for name in ("get", "get_multi", "replace", "add", "append", "incr", "decr", "touch", "set", "gets", "cas"):
            setattr(self, name, getattr(self.client, name))

    def set_multi(self, values):
        return self.client.set_multi(values) == []

    def delete(self, key):
        return self.client.delete(key) == 1

    def change(self, key, change):
        return self.client.cas(key, change(self.client.gets(key)))

    def flush(self):
        self.client.flush_all()  # does not say what was answered


class Pymemcache:
    def __init__(self, servers, username, password, ca):
        from pymemcache.client.hash import HashClient
        from pymemcache.serde import pickle_serde
        self.client = HashClient(split(servers), serde=pickle_serde, default_noreply=False, timeout=2,
                                 connect_timeout=2, tls_context=tls_context(ca))
        self.credentials = username, password
        for connection in self.client.clients.values():
            assert connection.set(*self.credentials)
        for name in ("set", "get", "add", "append", "replace", "incr", "decr", "touch", "delete"):
            setattr(self, name, getattr(self.client, name))
        self.get_multi = self.client.get_many

    def set_multi(self, values):
        return self.client.set_many(values) == []

    def change(self, key, change):
        value, token = self.client.gets(key)
        return self.client.cas(key, change(value), token)

    def flush(self):
        for connection in self.client.clients.values():  # the first is enough, and every one may
            try:
                connection.flush_all()
            except Exception:  # after which it connects again, with the next command
                assert connection.set(*self.credentials)
                raise


class Bmemcached:
    def __init__(self, servers, username, password, ca):
        import bmemcached
        # It repeats every command on every server that it is given.
        self.client = bmemcached.Client(servers.split(",")[:1], username, password, socket_timeout=2,
                                        tls_context=tls_context(ca))
        for name in ("set", "get", "get_multi", "add", "replace", "incr", "decr", "delete"):
            setattr(self, name, getattr(self.client, name))

    def set_multi(self, values):
        return self.client.set_multi(values) == []

    def append(self, key, value):
        return self.change(key, lambda old: old + value)

    def change(self, key, change):
        value, token = self.client.gets(key)
        return self.client.cas(key, change(value), token)

    def flush(self):
        self.client.flush_all()


LIBRARIES = {"memcache": PythonMemcache, "pymemcache": Pymemcache, "bmemcached": Bmemcached}


def use(client, name):
    key = f"compat:{name}"
    seen = {}
    seen["set"] = bool(client.set(key, "one", 60))
    seen["get"] = client.get(key)
    seen["miss"] = client.get("compat:nothing")
    seen["add"] = bool(client.add(key, "two"))
    seen["replace"] = bool(client.replace(key, "thre"))
    seen["set_multi"] = client.set_multi({f"{key}:{i}": str(i) for i in range(50)})
    seen["multi"] = len(client.get_multi([f"{key}:{i}" for i in range(60)]))
    client.set(key + ":n", 7)
    seen["incr"] = int(client.get(key + ":n"))
    client.incr(key + ":n", 6)
    seen["incr2"] = int(client.decr(key + ":n", 1))
    seen["cas"] = bool(client.change(key, lambda old: old + "e"))
    seen["append"] = bool(client.append(key, "!"))
    seen["get2"] = client.get(key)
    if hasattr(client, "touch"):
        seen["touch"] = bool(client.touch(key, 100))
    seen["delete"] = bool(client.delete(key))
    seen["deleted"] = client.get(key)
    seen["keep"] = bool(client.set(key + ":keep", "kept"))
    try:
        client.flush()
    except Exception as error:  # each library has its own
        seen["flushError"] = str(error)
    seen["kept"] = client.get(key + ":keep")
    return seen


def main():
    name, servers, username, password, *ca = sys.argv[1:]
    client = LIBRARIES[name](servers, username, password, ca[0] if ca else None)
    print(json.dumps(use(client, name)))


main()

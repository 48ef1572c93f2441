"""Network namespaces of a test's own: hosts that can vanish without a word.

    with Network() as network:              # from here on this thread is on the near host
        with network.far():                 # sockets and processes made here are on the far one
            client = socket.create_connection((NEAR, port))
        network.far_vanishes()              # nothing that is sent there is answered any more

Needs root, or the right to make a user namespace and be root in it; `possible()` says so.
"""
import contextlib
import ctypes
import os
import shutil
import subprocess

NEAR, FAR = "10.77.0.1", "10.77.0.2"
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def unshare_network():
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter(namespace):
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def possible():
    if shutil.which("ip") is None:
        return False
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.close(unshare_network())
        enter(home)
        return True
    except OSError:
        return False
    finally:
        os.close(home)


class Network:
    def __enter__(self):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.far_space = unshare_network()
        ip("link", "set", "lo", "up")
        self.near_space = unshare_network()
        ip("link", "set", "lo", "up")
        ip("link", "add", "near", "type", "veth", "peer", "name", "far")
        ip("link", "set", "far", "netns", f"/proc/{os.getpid()}/fd/{self.far_space}")
        ip("addr", "add", NEAR + "/24", "dev", "near")
        ip("link", "set", "near", "up")
        with self.far():
            ip("addr", "add", FAR + "/24", "dev", "far")
            ip("link", "set", "far", "up")
            lines = subprocess.run(["ip", "-o", "link", "show", "far"], check=True, capture_output=True,
                                   text=True).stdout.split()
        # As by a router between the two: nobody finds out by asking for the address on the link.
        ip("neigh", "replace", FAR, "lladdr", lines[lines.index("link/ether") + 1], "dev", "near", "nud", "permanent")
        return self

    def __exit__(self, *_):
        enter(self.home)  # both go with the last process and descriptor in them
        for namespace in (self.home, self.far_space, self.near_space):
            os.close(namespace)

    @contextlib.contextmanager
    def far(self):
        enter(self.far_space)
        try:
            yield
        finally:
            enter(self.near_space)

    def far_vanishes(self):
        with self.far():
            ip("addr", "del", FAR + "/24", "dev", "far")

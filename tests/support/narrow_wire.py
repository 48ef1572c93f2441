"""A network that carries replies slowly: each connection so many bytes a second, requests at once."""
import socket
import threading
import time

from region import pause

PART = 16 * 1024


class NarrowWire:
    """Listens at `here` for what is meant for `there`, both (address, port)."""

    def __init__(self, here, there, bytes_per_second):
        self.there, self.rate = there, bytes_per_second
        self.accepted, self.sockets, self.threads = 0, [], []
        self.listening = socket.create_server(here)
        self.start(self.accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for one in self.sockets:
            end(one)
        for thread in self.threads:
            thread.join()

    def start(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def accept(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            server = socket.create_connection(self.there)
            # What is under way waits at the sender, as it does in front of a narrow link.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PART)
            self.sockets += [client, server]
            self.accepted += 1
            self.start(self.carry, client, server, None)
            self.start(self.carry, server, client, self.rate)

    @staticmethod
    def carry(source, target, rate):
        free_at = time.monotonic()
        try:
            while part := source.recv(PART):
                if rate:
                    free_at = max(free_at, time.monotonic()) + len(part) / rate
                    pause(max(0, free_at - time.monotonic()))  # the wire's own pace
                target.sendall(part)
        except OSError:
            pass
        end(source)
        end(target)


def end(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()

"""A new process that takes over by the book up to a chosen moment, and then dies or stands still there.

    python3 successor.py PLACE CONTROL MOMENT END

PLACE: where it listens for the old process. MOMENT: `ready` (nobody has been taken), `all` (everybody
has been, it has not confirmed), `confirm` (it has). END: `die` or `stand`. It prints MOMENT when it is there.
"""
import json
import signal
import socket
import struct
import sys

HELLO, LISTENERS, LOCK, WARM, SEALED, READY, CLIENTS, TAKEN, END, CONFIRM = range(1, 11)


class Conversation:
    def __init__(self, place, control):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(place)
        listener.listen()
        caller = socket.socket(socket.AF_UNIX)
        caller.connect(control)
        call = {"verb": "handover", "fence": 1, "args": {"socket": place}}
        caller.sendall(json.dumps(call).encode() + b"\n")
        self.socket, _ = listener.accept()
        self.bytes, self.descriptors = b"", []  # all stay open as long as this process lives

    def say(self, kind, body=b""):
        self.socket.sendall(struct.pack("<BBHI", kind, 0, 0, len(body)) + body)

    def hear(self):
        """The next frame: its kind and its body."""
        while True:
            if len(self.bytes) >= 8:
                kind, _, _, size = struct.unpack("<BBHI", self.bytes[:8])
                if len(self.bytes) >= 8 + size:
                    body, self.bytes = self.bytes[8:8 + size], self.bytes[8 + size:]
                    return kind, body
            data, descriptors, _, _ = socket.recv_fds(self.socket, 1 << 20, 253)
            if not data:
                raise ConnectionError("the old process has ended the conversation")
            self.bytes += data
            self.descriptors += descriptors

    def hear_until(self, wanted):
        while True:
            kind, body = self.hear()
            if kind == wanted:
                return
            if kind == CLIENTS:
                self.say(TAKEN, str(struct.unpack("<I", body[:4])[0]).encode())


def main(place, control, moment, end):
    talk = Conversation(place, control)
    talk.say(WARM)
    talk.hear_until(SEALED)
    talk.say(READY)
    if moment != "ready":
        talk.hear_until(END)
    if moment == "confirm":
        talk.say(CONFIRM)
    print(moment, flush=True)
    if end == "stand":
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A linearizability checker for registers of numbers: who read what while whom was writing.

Each key has one writer, which writes 1, 2, 3, … through all proxies in turn; readers read it through
any proxy. Rules, as for a cache: a miss is always allowed; a write without a positive answer is
concurrent with everything after it. Then a read that begins at b and ends at e and returns v is
right exactly when v was begun before e and no newer acknowledged write was complete before b, or v
was never acknowledged (it may take effect at any later time). After an acknowledged flush no value
whose write was complete before the flush began may be read.
"""
from dataclasses import dataclass, field


@dataclass
class Key:
    begun: dict = field(default_factory=dict)         # value -> time the write began
    acknowledged: dict = field(default_factory=dict)  # value -> time its answer arrived


class History:
    def __init__(self):
        self.keys = {}
        self.flushes = []  # (begun, acknowledged)
        self.reads = 0
        self.hits = 0
        self.violations = []

    def key(self, name):
        return self.keys.setdefault(name, Key())

    def write_begins(self, name, value, now):
        self.key(name).begun[value] = now

    def write_acknowledged(self, name, value, now):
        self.key(name).acknowledged[value] = now

    def flushed(self, begun, acknowledged):
        self.flushes.append((begun, acknowledged))

    def read(self, name, value, begun, ended, where):
        """Checked later, by check(): the writes of the same time must all be known."""
        self.reads += 1
        if value is not None:
            self.hits += 1
            self.violations.append((name, value, begun, ended, where))

    def check(self):
        """The reads that were wrong, each as a sentence."""
        wrong = []
        for name, value, begun, ended, where in self.violations:
            key = self.key(name)
            started = key.begun.get(value)
            if started is None or started > ended:
                wrong.append(f"{name}: read {value} through {where}, which nobody had written yet")
                continue
            if value not in key.acknowledged:
                continue
            newer = [v for v, at in key.acknowledged.items() if v > value and at < begun]
            if newer:
                wrong.append(f"{name}: read {value} through {where} at {begun:.3f}, but {max(newer)} "
                             f"was acknowledged at {key.acknowledged[max(newer)]:.3f}")
            for flush_begun, flush_done in self.flushes:
                if key.acknowledged[value] < flush_begun and flush_done < begun:
                    wrong.append(f"{name}: read {value} through {where} at {begun:.3f}, flushed at "
                                 f"{flush_done:.3f}")
        return wrong

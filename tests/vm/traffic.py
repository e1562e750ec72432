# SPDX-License-Identifier: Apache-2.0
"""Numbered traffic: what was lost is known by its number."""
import select
import socket
import struct
import threading
import time

from lab import PATIENCE, LabError, wait_until


class Flow:
    """UDP datagrams with consecutive numbers from each of two hosts to the other, `rate` a second and direction, until finish().

    `a` and `b` are (host, address). It runs in a thread of this process; its sockets are in the hosts' namespaces."""

    PORT = 5005

    def __init__(self, a, b, rate=20, size=100):
        self._interval = 1 / rate
        self._padding = bytes(size - 8)
        self._sockets = []
        for host, address in (a, b):
            with host.entered():
                sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            sock.bind((address, self.PORT))
            sock.setblocking(False)
            self._sockets.append(sock)
        self._addresses = (a[1], b[1])
        self.sent = 0  # in each direction
        self.seen = ([], [])  # numbers in the order of arrival at a, and at b
        self._stopping = threading.Event()
        self._quit = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        due = time.monotonic()
        while not self._quit.is_set():
            now = time.monotonic()
            if now >= due and not self._stopping.is_set():
                datagram = struct.pack(">Q", self.sent) + self._padding
                for sock, target in zip(self._sockets, reversed(self._addresses)):
                    try:
                        sock.sendto(datagram, (target, self.PORT))
                    except OSError:
                        pass  # refused by the kernel: one that does not arrive
                self.sent += 1
                due = max(due + self._interval, now)
            ready, _, _ = select.select(self._sockets, [], [], max(0.0, min(self._interval, due - now)))
            for sock in ready:
                self.seen[self._sockets.index(sock)].append(struct.unpack_from(">Q", sock.recv(2048))[0])

    def wait_arrived(self, count, timeout=60.0):
        """Waits until `count` more datagrams have come in at each end."""
        targets = [len(seen) + count for seen in self.seen]
        wait_until(lambda: all(len(seen) >= target for seen, target in zip(self.seen, targets)), f"{count} more datagrams at each end", timeout)

    def lost(self):
        """Numbers of those that have not arrived at a, and at b: of the last ones some may still be under way before finish()."""
        sent = set(range(self.sent))
        return sorted(sent - set(self.seen[0])), sorted(sent - set(self.seen[1]))

    def finish(self, patience=3.0):
        """Stops sending, waits for what is under way; returns (sent in each direction, lost on the way to a, to b)."""
        self._stopping.set()
        end = time.monotonic() + patience * PATIENCE
        while any(self.lost()) and time.monotonic() < end:
            time.sleep(0.1)
        self._quit.set()
        self._thread.join()
        for sock in self._sockets:
            sock.close()
        return (self.sent, *self.lost())

    def finish_without_loss(self):
        sent, to_a, to_b = self.finish()
        if to_a or to_b or not sent:
            raise LabError(f"of {sent} datagrams in each direction {len(to_a)} and {len(to_b)} are lost: {to_a[:20]} and {to_b[:20]}")
        for seen in self.seen:
            if len(seen) != len(set(seen)):
                raise LabError("datagrams arrived twice")
        return sent

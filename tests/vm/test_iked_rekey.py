# SPDX-License-Identifier: Apache-2.0
"""Rekeys in a long row, from either side, under numbered traffic of which nothing may be lost. `scripts/bench rekey` is the long form.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (svti-iked, svti100) ─── clientb
"""
import os
import socket
import struct
import time

import pytest

from iked import GCM_ESP, GCM_IKE, Iked, esp_sas, pair, wait_tunnel
from lab import PATIENCE, LabError, wait_until
from traffic import Flow

REKEYS = int(os.environ.get("SVTI_REKEYS", "30"))
IKE_EVERY = 10  # the IKE SA is rekeyed after so many CHILD rekeys, by the ends in turn


class Control:
    """VICI, as much as it takes to ask for a rekey and to hear of it."""

    REQUEST, RESPONSE, REGISTER, CONFIRM, EVENT = 0, 1, 3, 5, 7

    def __init__(self, path, *events):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60 * PATIENCE)
        self.socket.connect(str(path))
        self.events = []
        for event in events:
            self._send(self.REGISTER, event)
            self._wait(self.CONFIRM)

    def _send(self, kind, name, message=b""):
        packet = bytes([kind, len(name)]) + name.encode() + message
        self.socket.sendall(struct.pack(">I", len(packet)) + packet)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise LabError("the control socket was closed")
            data += more
        return data

    def _wait(self, kind):
        """The next packet of that kind; events on the way to it are kept."""
        while True:
            packet = self._exactly(struct.unpack(">I", self._exactly(4))[0])
            if packet[0] == self.EVENT:
                self.events.append(packet[2 : 2 + packet[1]].decode())
                if kind == self.EVENT:
                    return packet
            elif packet[0] == kind:
                return packet
            else:
                raise LabError(f"the control socket answers with {packet[0]}, not {kind}")

    def rekey(self, what, name):
        self._send(self.REQUEST, "rekey", b"\x03" + bytes([len(what)]) + what.encode() + struct.pack(">H", len(name)) + name.encode())
        answer = self._wait(self.RESPONSE)
        if b"success\x00\x03yes" not in answer:
            raise LabError(f"rekey is refused: {answer}")

    def wait_event(self, name):
        while name not in self.events:
            self._wait(self.EVENT)
        self.events.remove(name)


@pytest.mark.limit(max(240, REKEYS * 2))
def test_iked_rekey_in_a_long_row_loses_nothing(gateways, capsys):
    g = gateways
    g.svtis()
    a, b = pair(ike=GCM_IKE, esp=GCM_ESP)
    iked_a, iked_b = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    iked_a.initiate()
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    ends = [Control(iked.socket, "child-rekey", "ike-rekey") for iked in (iked_a, iked_b)]
    flow = Flow((g.clienta, "192.168.0.2"), (g.clientb, "192.168.99.2"), rate=100)
    started = time.monotonic()
    ike_rekeys = 0
    for number in range(REKEYS):
        ends[number % 2].rekey("child", "trunk")
        for end in ends:
            end.wait_event("child-rekey")
        if number % IKE_EVERY == IKE_EVERY - 1:
            ends[ike_rekeys % 2].rekey("ike", "siteA-siteB")
            for end in ends:
                end.wait_event("ike-rekey")
            ike_rekeys += 1
        if number % 25 == 24 and REKEYS > 30:
            with capsys.disabled():
                print(f"{number + 1} rekeys, {flow.sent} datagrams in each direction", flush=True)
    seconds = time.monotonic() - started
    sent = flow.finish_without_loss()
    counted = f"{REKEYS} CHILD and {ike_rekeys} IKE rekeys in {seconds:.0f} s, {sent} datagrams in each direction, 0 lost"
    if REKEYS > 30:
        with capsys.disabled():
            print(counted, flush=True)
    # nothing is left over
    wait_until(lambda: len(esp_sas(g.gwa)) == len(esp_sas(g.gwb)) == 2, "one pair of SAs at each end", 60, interval=0.5)
    for iked in (iked_a, iked_b):
        assert len(iked.ike_sas()) == len(iked.children()) == 1

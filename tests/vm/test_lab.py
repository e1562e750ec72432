# SPDX-License-Identifier: Apache-2.0
"""The laboratory itself: what the other tests rely on must be able to fail."""
import struct

import pytest

import messages
from lab import LabError


def test_lab_hosts_reach_each_other_and_captures_see_clear_text(gateways):
    # Without a tunnel the clients' packets have no way back through wan; with routes there they cross in clear and are seen.
    g = gateways
    assert g.clienta.ping("192.168.99.2", 1, wait=1) == 0
    g.wan.route("192.168.0.0/24", via="192.0.2.1")
    g.wan.route("192.168.99.0/24", via="198.51.100.1")
    capture = g.capture()
    g.clienta.ping_ok("192.168.99.2")
    with pytest.raises(LabError, match="payload of a ping is in clear"):
        capture.assert_only_ike_and_esp(g.INNER)
    # tshark's part of the check, for packets that do not carry the pattern
    with pytest.raises(LabError, match="other than IKE and ESP"):
        second = g.capture()
        g.clienta.run("ping -n -c 1 192.168.99.2")
        second.assert_only_ike_and_esp(g.INNER)


def test_lab_tshark_tells_a_wrong_ike_message(tmp_path):
    def packet(ike):
        udp = struct.pack(">HHHH", 500, 500, 8 + len(ike), 0) + ike
        return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])) + udp

    def header(exchange, first, size):
        return b"initiatr" + b"respondr" + struct.pack(">BBBBII", first, 0x20, exchange, 8, 0, size)

    nonce = struct.pack(">BBH", 0, 0, 36) + bytes(32)
    right = header(34, 40, 28 + len(nonce)) + nonce
    beyond = header(34, 40, 28 + len(nonce)) + struct.pack(">BBH", 0, 0, 100) + bytes(32)
    unreadable = header(35, 46, 28 + 36) + struct.pack(">BBH", 39, 0, 36) + bytes(32)
    named = [("right", packet(right)), ("beyond", packet(beyond)), ("unreadable", packet(unreadable))]
    read, wrong = messages.check(named, {}, tmp_path)
    assert read == 3 and [one.split(":")[0] for one in wrong] == ["beyond", "unreadable"], wrong

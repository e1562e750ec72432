# SPDX-License-Identifier: Apache-2.0
"""The ways of a packet through an svti that are not the usual one: AH, ESN, UDP with IPv6, MIGRATE, several SAs for
one policy. SAs and policies are set by `ip xfrm`.
"""
import os
import re
import socket
import struct

import pytest

import svti
from lab import wait_until
from svti import Counters, Ends, policy, sa

INSIDE = {4: "192.168.1.2", 6: "fd01::2"}
AH_KEY = "auth-trunc 'hmac(sha256)' 0x000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f 128"
UDP_SOCKET = """import socket, time
s = socket.socket(socket.{family}, socket.SOCK_DGRAM)
s.bind(('', 4500))
s.setsockopt(17, 100, 2)  # UDP_ENCAP, UDP_ENCAP_ESPINUDP
print('ready', flush=True)
time.sleep(600)
"""


def ah(src, dst, spi, mode="tunnel", if_id=1):
    return f"xfrm state add src {src} dst {dst} proto ah spi {spi:#x} reqid 1 mode {mode} if_id {if_id} replay-window 32 flag af-unspec {AH_KEY}"


@pytest.mark.parametrize("outer", [4, 6])
def test_ah(lab, outer):
    ends = Ends(lab)
    a, b = ends.outer(outer)
    for host, (here, there) in ((ends.b, (b, a)), (ends.a, (a, b))):
        host.ip(ah(a, b, 0x101), ah(b, a, 0x102))
        for any_ in ("0.0.0.0/0", "::/0"):
            host.ip(*(policy(any_, any_, d, 1, s, t).replace("proto esp", "proto ah") for d, s, t in (("out", here, there), ("in", there, here))))
    capture = ends.b.capture("eth0")
    for inner in (4, 6):
        ends.a.ping_ok(INSIDE[inner], 2, interval=0.1)
    ends.a.ping_ok(INSIDE[4], 2, size=3000, interval=0.1)
    capture.stop()
    assert len(capture.packets("ah")) >= 8 and not capture.packets("esp")


def test_esp_in_ah_takes_the_way_of_the_kernel(lab):
    ends = Ends(lab)
    for host, here, there in ((ends.b, "10.0.0.2", "10.0.0.1"), (ends.a, "10.0.0.1", "10.0.0.2")):
        for src, dst, n in (("10.0.0.1", "10.0.0.2", 1), ("10.0.0.2", "10.0.0.1", 2)):
            host.ip(sa(src, dst, 0x100 + n, 1), ah(src, dst, 0x200 + n, "transport"))
        for direction, src, dst in (("out", here, there), ("in", there, here)):
            host.ip(policy("0.0.0.0/0", "0.0.0.0/0", direction, 1, src, dst) + f" tmpl src {src} dst {dst} proto ah reqid 1 mode transport")
    capture = ends.b.capture("eth0")
    ends.a.ping_ok(INSIDE[4], 3, interval=0.1)
    capture.stop()
    assert len(capture.packets("ah && esp")) >= 6
    # Both are demanded.
    counters = Counters(ends.b, "svti1")
    ends.a.ip(policy("0.0.0.0/0", "0.0.0.0/0", "out", 1, "10.0.0.1", "10.0.0.2", verb="update"))
    assert ends.a.ping(INSIDE[4], 1, wait=1) == 0
    assert counters.since() == {"rx-template": 1}


@pytest.mark.parametrize("suite", ["gcm", "cbc"])
def test_extended_sequence_numbers(lab, suite):
    ends = Ends(lab)
    ends.protect(suite=suite, more="flag esn")
    for host in (ends.a, ends.b):
        assert all("flag af-unspec esn" in s["text"] or "esn" in s["text"] for s in host.sas())
    ends.a.ping_ok(INSIDE[4], 5, interval=0.05)
    # Just before the lower half runs over: 2^32 packets are too many to wait for. Both ends are told where they are.
    # (seq, oseq, seq-hi, oseq-hi and window are those of XFRMA_REPLAY_ESN_VAL, which ip-xfrm calls replay-...)
    ends.b.ip("xfrm state flush")
    ends.a.ip("xfrm state flush")
    near = "flag esn replay-seq 0xfffffffc replay-oseq 0xfffffffc"
    ends.states(suite=suite, more=near)
    ends.a.ping_ok(INSIDE[4], 10, interval=0.05)
    assert any(re.search(r"oseq-hi 0x1|seq-hi 0x1", s["text"]) for s in ends.a.sas()), ends.a.sas()[0]["text"]


def test_esp_in_udp_over_ipv6(lab):
    ends = Ends(lab)
    ends.protect(6, more="encap espinudp 4500 4500 ::")
    for host in (ends.a, ends.b):
        host.popen(["/usr/bin/python3", "-c", UDP_SOCKET.format(family="AF_INET6")], name="udp4500").wait_output("ready")
    capture = ends.b.capture("eth0")
    for inner in (4, 6):
        ends.a.ping_ok(INSIDE[inner], 2, interval=0.1)
    ends.a.ping_ok(INSIDE[4], 2, size=3000, interval=0.1)
    capture.stop()
    assert len(capture.packets("udp.port == 4500")) >= 8
    assert not capture.packets("ip.addr == 192.168.0.0/16 && !udp")


def migrate(host, direction, old, new, if_id=1, reqid=1):
    """XFRM_MSG_MIGRATE: policy and SA for everything in IPv4 get other addresses, (source, destination) each."""
    address = lambda text: socket.inet_aton(text) + bytes(12)  # noqa: E731
    selector = bytes(16) * 2 + bytes(8) + struct.pack("=HBBBxxxiI", socket.AF_INET, 0, 0, 0, 0, 0)
    body = selector + struct.pack("=IBxxx", 0, {"in": 0, "out": 1}[direction])
    move = address(old[1]) + address(old[0]) + address(new[1]) + address(new[0])
    move += struct.pack("=BBHIHH", 50, 1, 0, reqid, socket.AF_INET, socket.AF_INET)
    svti.request(host, 0x21, 0, body + svti.attr(17, move) + svti.attr(31, if_id), 6)


def test_migrate_moves_sas_and_policies_unannounced(lab):
    # b gets another address; MIGRATE tells key managers nothing of the SAs and templates that it makes.
    ends = Ends(lab)
    ends.states()
    ends.policies(inner=(4,))
    ends.b.ip("addr add 10.0.0.22/24 dev eth0")
    ends.a.ping_ok(INSIDE[4], 2, interval=0.1)
    capture = ends.a.capture("eth0")
    here, there, moved = "10.0.0.1", "10.0.0.2", "10.0.0.22"
    for _ in range(2):
        for host, out, back in ((ends.b, "in", "out"), (ends.a, "out", "in")):
            migrate(host, out, (here, there), (here, moved))
            migrate(host, back, (there, here), (moved, here))
        ends.a.ping_ok(INSIDE[4], 3, interval=0.1)
        there, moved = moved, there
    for host in (ends.a, ends.b):
        wait_until(lambda host=host: len(svti.sad(host, "svti1")) == 2 and len(svti.spd(host, "svti1")) == 2, "the indices hold what there is")
        assert {(s["saddr"], s["daddr"]) for s in svti.sad(host, "svti1")} == {(here, there), (there, here)}
    capture.stop()
    assert len(capture.packets("esp && ip.addr == 10.0.0.22")) >= 6
    capture.assert_only_ike_and_esp(["192.168.0.0/16"])


def test_each_cpu_takes_an_sa_of_its_own(lab):
    assert os.cpu_count() > 1, "this needs two CPUs"
    ends = Ends(lab)
    ends.policies()
    for spi in (0x100, 0x200, 0x300):
        ends.states(spi=spi)
    outbound = (0x101, 0x201, 0x301)

    def used(cpu):
        before = {s["spi"]: s["packets"] for s in ends.a.sas()}
        assert "3 received" in ends.a.run(f"taskset -c {cpu} ping -n -c 3 -i 0.1 {INSIDE[4]}").stdout
        return {s["spi"] for s in ends.a.sas() if s["spi"] in outbound and s["packets"] > before[s["spi"]]}

    assert used(0) == used(1) == {0x301}, "the newest"
    svti.change(ends.a, "svti1", data=svti.attr(8, b"\1"))  # IFLA_SVTI_SA_PER_CPU
    first, second = used(0), used(1)
    assert len(first) == len(second) == 1 and first != second
    # One fewer: all CPUs go on with what there is.
    ends.a.ip(*(f"xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi {spi:#x}" for spi in first | second))
    left = set(outbound) - first - second
    assert used(0) == used(1) == left
    svti.change(ends.a, "svti1", data=svti.attr(8, b"\0"))
    # A device has as many queues as it is given.
    svti.create(ends.a, "svti2", 2, more=svti.attr(31, 4))  # IFLA_NUM_TX_QUEUES
    with ends.a.entered():
        queues = ends.a.run("ip -j -d link show svti2").stdout
    assert '"num_tx_queues":4' in queues

# SPDX-License-Identifier: Apache-2.0
"""The ways of a packet through an svti that are not the usual one: AH, transport mode, ESN, UDP with IPv6, marks, filters, shapers, MIGRATE,
several SAs for one policy. SAs and policies are set by `ip xfrm`.
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


@pytest.mark.parametrize("family", [4, 6])
def test_transport_mode(lab, family):
    # What is sent into the svti keeps its addresses; the underlying link tells how it leaves, else it would come back.
    ends = Ends(lab)
    a, b = ends.outer(family)
    for host, (here, there) in ((ends.b, (b, a)), (ends.a, (a, b))):
        svti.change(host, "svti1", link=svti.index_of(host, "eth0"))
        host.ip(*(sa(s, d, spi, 1).replace("mode tunnel", "mode transport").replace("flag af-unspec", "") for s, d, spi in ((a, b, 0x101), (b, a, 0x102))))
        for direction, s, d in (("out", here, there), ("in", there, here)):
            length = 32 if family == 4 else 128
            host.ip(policy(f"{s}/{length}", f"{d}/{length}", direction, 1, s, d, sel="proto udp").replace("mode tunnel", "mode transport"))
        host.sysctl("net.ipv4.conf.all.rp_filter", 0)
        host.sysctl("net.ipv4.conf.svti1.rp_filter", 0)
        host.ip(f"route add {there}/{32 if family == 4 else 128} dev svti1 src {here}", family=f"-{family}")
    listener = ends.b.popen(["/usr/bin/python3", "-c", f"import socket\ns = socket.socket(socket.{'AF_INET6' if family == 6 else 'AF_INET'}, socket.SOCK_DGRAM)\ns.bind(('', 99))\nprint('ready', flush=True)\nfor _ in range(3): print(s.recvfrom(99), flush=True)"], name="listener")
    listener.wait_output("ready")
    capture = ends.b.capture("eth0")
    counters = Counters(ends.a, "svti1"), Counters(ends.b, "svti1")
    svti.send_udp(ends.a, [(b, 99)] * 3)
    listener.wait_output(r"(b'x'[^\n]*\n){3}")
    # The policies are for UDP: the protocol inside counts, which the outer header does not tell.
    assert ends.a.ping(b, 1, wait=1) == 0
    assert counters[0].since() == {"tx-no-policy": 1} and counters[1].since() == {}
    capture.stop()
    assert len(capture.packets("esp")) == 3 and not capture.packets("udp.port == 99")


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


def test_marks_of_policies_and_states(lab):
    #   a has two ways to b, and the mark of the state's output says which
    ends = Ends(lab)
    lab.link(ends.a, "eth1", ends.b, "eth1")
    ends.a.addr("eth1", "10.0.9.1/24")
    ends.b.addr("eth1", "10.0.9.2/24")
    ends.a.ip("rule add fwmark 0x5/0xff table 105", "route add 10.0.0.2/32 via 10.0.9.2 table 105")
    for host in (ends.a, ends.b):
        host.sysctl("net.ipv4.conf.all.rp_filter", 0)
        for dev in ("eth0", "eth1"):
            host.sysctl(f"net.ipv4.conf.{dev}.rp_filter", 0)
    ends.policies()
    ends.states(more="output-mark 0x5")
    capture = ends.b.capture("eth1")
    ends.a.ping_ok(INSIDE[4], 2, interval=0.1)
    # A mask that leaves bits of the packet's own mark makes the route depend on the packet: the kernel's way.
    for host in (ends.a, ends.b):
        host.ip("xfrm state flush")
    ends.states(more="output-mark 0x5 mask 0x0f")
    counters = Counters(ends.a, "svti1"), Counters(ends.b, "svti1")
    answered = ends.a.ping(INSIDE[4], 2, interval=0.1, more="-m 0x100")
    assert answered == 2, (counters[0].since(), counters[1].since(), ends.a.sysdump(), ends.a.run("cat /proc/net/xfrm_stat").stdout)
    capture.stop()
    assert len(capture.packets("esp && ip.dst == 10.0.0.2")) == 4
    # Policies with a mark take what bears it.
    ends.a.ip("xfrm policy add src 0.0.0.0/0 dst 192.168.1.0/24 dir out if_id 1 priority 0 mark 0x7 mask 0xf action block", "xfrm policy delete src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id 1")
    ends.a.ip(policy("0.0.0.0/0", "0.0.0.0/0", "out", 1, "10.0.0.1", "10.0.0.2", priority=9))
    counters = Counters(ends.a, "svti1")
    assert ends.a.ping(INSIDE[4], 1, wait=1, more="-m 0x17") == 0
    assert counters.since() == {"tx-blocked": 1}
    ends.a.ping_ok(INSIDE[4], 1, more="-m 0x18")


FILTER = """
table inet f {
  chain in { type filter hook input priority 0; iifname svti1 udp dport 7 counter drop; iifname svti1 counter; }
  chain out { type filter hook output priority 0; oifname svti1 udp dport 8 counter drop; oifname svti1 counter; }
  chain post { type filter hook postrouting priority 0; oifname svti1 counter; }
}
"""


def test_nft_and_tc_treat_it_as_any_device(lab):
    ends = Ends(lab)
    ends.protect()
    for host in (ends.a, ends.b):
        host.run("nft -f -", input=FILTER)
    ends.a.ping_ok(INSIDE[4], 2, interval=0.1)
    svti.send_udp(ends.a, [(INSIDE[4], 7), (INSIDE[4], 8)])

    def packets(host, pattern):
        return int(re.search(pattern + r" counter packets (\d+)", host.run("nft list table inet f").stdout)[1])

    wait_until(lambda: packets(ends.b, 'iifname "svti1" udp dport 7') == 1, "nft at b drops by input interface")
    assert packets(ends.a, 'oifname "svti1" udp dport 8') == 1
    assert packets(ends.a, 'oifname "svti1"') >= 3 and packets(ends.b, 'iifname "svti1"') == 2

    ends.a.run("tc qdisc add dev svti1 clsact")
    for way in ("egress", "ingress"):
        ends.a.run(f"tc filter add dev svti1 {way} protocol ip flower ip_proto icmp action drop")
        assert ends.a.ping(INSIDE[4], 2, wait=1, interval=0.1) == 0
        shown = ends.a.run(f"tc -s filter show dev svti1 {way}").stdout
        assert int(re.search(r"Sent \d+ bytes (\d+) pkt", shown)[1]) >= 2, shown
        ends.a.run(f"tc filter del dev svti1 {way}")
    ends.a.run("tc qdisc add dev svti1 root tbf rate 1mbit burst 5kb latency 50ms")
    ends.a.ping_ok(INSIDE[4], 3, interval=0.1)
    assert int(re.search(r"Sent \d+ bytes (\d+) pkt", ends.a.run("tc -s qdisc show dev svti1 root").stdout)[1]) >= 3


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

# SPDX-License-Identifier: Apache-2.0
"""Packets through an svti, and above all the packets that must not get through. SAs and policies are set by `ip xfrm`."""
import json
import os
import re
import subprocess
import time

import pytest

import svti
from lab import wait_until
from svti import Counters, Ends, policy, sa

SNAT = """
table ip nat {
  chain post {
    type nat hook postrouting priority 100;
    ip saddr 192.168.7.7 snat to 192.168.1.77
  }
}
"""
INSIDE = {4: "192.168.1.2", 6: "fd01::2"}


@pytest.mark.parametrize("suite", ["gcm", "cbc"])
@pytest.mark.parametrize("outer", [4, 6])
def test_both_families_pass_inside_both(lab, outer, suite):
    ends = Ends(lab)
    ends.protect(outer, suite)
    capture = ends.b.capture("eth0")
    a, b = Counters(ends.a, "svti1"), Counters(ends.b, "svti1")
    for inner in (4, 6):
        ends.a.ping_ok(INSIDE[inner], 3, interval=0.1)
        # In fragments; whoever sends before the MTU of the interface has followed the SA is told the size.
        if inner == 6:
            ends.a.ping(INSIDE[inner], 3, size=4000, interval=0.1, wait=1)
            ends.b.ping("fd01::1", 3, size=4000, interval=0.1, wait=1)
        ends.a.ping_ok(INSIDE[inner], 2, size=4000, interval=0.1)
    capture.assert_only_ike_and_esp(["192.168.0.0/16", "fd01::/16"])
    assert set(a.since()) | set(b.since()) <= {"tx-too-big"}
    link = json.loads(ends.a.run("ip -j -s link show svti1").stdout)[0]["stats64"]
    assert link["rx"]["errors"] == 0
    assert link["tx"]["packets"] >= 10 and link["rx"]["packets"] >= 10


def test_esp_in_udp(lab):
    # RFC 3948: the IKE daemon owns the socket on port 4500 that the kernel takes ESP from.
    ends = Ends(lab)
    ends.protect(4, more="encap espinudp 4500 4500 0.0.0.0")
    daemon = "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('', 4500))\ns.setsockopt(17, 100, 2)\nprint('ready', flush=True)\ntime.sleep(600)"
    for host in (ends.a, ends.b):
        host.popen(["/usr/bin/python3", "-c", daemon], name="udp4500").wait_output("ready")
    capture = ends.b.capture("eth0")
    for inner in (4, 6):
        ends.a.ping_ok(INSIDE[inner], 2)
    capture.stop()
    assert len(capture.packets("udp.port == 4500")) >= 8
    assert not capture.packets("ip.addr == 192.168.0.0/16")


def test_bulk_tcp_both_ways(lab):
    ends = Ends(lab)
    ends.protect()
    ends.b.popen("iperf3 -s --forceflush").wait_output("listening")
    for more in ("", "-R"):
        done = json.loads(ends.a.run(f"iperf3 -J -t 3 -c 192.168.1.2 {more}", timeout=120).stdout)
        assert done["end"]["sum_received"]["bytes"] > 500_000


def test_what_has_no_policy_or_a_blocking_one_is_dropped_and_counted(lab):
    ends = Ends(lab)
    ends.states()
    capture = ends.b.capture("eth0")
    counters = Counters(ends.a, "svti1")
    assert ends.a.ping(INSIDE[4], 2, wait=1) == 0
    assert counters.since() == {"tx-no-policy": 2}

    ends.a.ip("xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id 1 action block")
    assert ends.a.ping(INSIDE[4], 2, wait=1) == 0
    assert counters.since() == {"tx-no-policy": 2, "tx-blocked": 2}

    # Allowed without a template: in the stock SPD it would pass in clear.
    ends.a.ip("xfrm policy update src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id 1")
    assert ends.a.ping(INSIDE[4], 2, wait=1) == 0
    assert counters.since() == {"tx-no-policy": 2, "tx-blocked": 4}

    capture.stop()
    assert not capture.packets("icmp") and not capture.packets("esp")


def test_without_an_sa_one_acquire_is_raised_and_the_packets_wait_for_it(lab):
    ends = Ends(lab)
    ends.policies()
    to_b, to_a = sa("10.0.0.1", "10.0.0.2", 0x101, 1), sa("10.0.0.2", "10.0.0.1", 0x102, 1)
    ends.b.ip(to_b, to_a)
    monitor = ends.a.xfrm_monitor("acquire")
    counters = Counters(ends.a, "svti1")
    capture = ends.b.capture("eth0")

    started = time.monotonic()
    ping = ends.a.popen(f"ping -n -c 5 -i 0.2 -W 20 {INSIDE[4]}", name="ping")
    monitor.wait_output("acquire proto esp")
    counters.wait("tx-queued", 5)
    ends.a.ip(to_a, to_b)
    assert time.monotonic() - started < 9, "the SAs took longer to install here than packets may wait"
    ping.wait_output("5 packets transmitted, 5 received")

    assert counters.since() == {"tx-queued": 5}
    assert len(re.findall("acquire proto esp", monitor.output())) == 1
    capture.assert_only_ike_and_esp(["192.168.0.0/16"])


def test_packets_wait_in_bounded_number_and_for_a_bounded_time(lab):
    ends = Ends(lab)
    ends.policies()
    counters = Counters(ends.a, "svti1")
    svti.send_udp(ends.a, [(INSIDE[4], 9)] * 40)
    since = counters.since()
    assert since["tx-queued"] == 16 and since["tx-queue-full"] == 24
    counters.wait("tx-queue-full", 40, timeout=30)  # too old
    assert counters.since() == {"tx-queued": 16, "tx-queue-full": 40}

    assert ends.a.ping(INSIDE[4], 1, wait=1) == 0
    ends.a.run("ip link set svti1 down")  # with a packet waiting
    assert counters.since() == {"tx-queued": 17, "tx-queue-full": 40, "tx-no-state": 1}


def test_an_sa_of_another_or_of_no_id_lets_nothing_in(lab):
    # a sends properly; at b the SA is bound to an id that has no interface, or to none
    ends = Ends(lab)
    ends.protect()
    ends.a.ping_ok(INSIDE[4])
    for if_id in ("if_id 0x63", ""):
        ends.b.ip("xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x101")
        ends.b.ip(sa("10.0.0.1", "10.0.0.2", 0x101, 1).replace("if_id 0x1", if_id))
        ends.b.sysctl("net.ipv4.conf.all.rp_filter", 0)
        before = json.loads(ends.b.run("ip -j -s link show svti1").stdout)[0]["stats64"]["rx"]["packets"]
        assert ends.a.ping(INSIDE[4], 2, wait=1) == 0
        after = json.loads(ends.b.run("ip -j -s link show svti1").stdout)[0]["stats64"]["rx"]["packets"]
        assert after == before
        # What is said in the SA's own name: the packet was decrypted, and went no further.
        assert [s["packets"] for s in ends.b.sas() if s["spi"] == 0x101] == [2]


def test_an_id_without_interface_is_no_plain_sa(lab):
    # b has a plain policy that would let the packet in; the SA bears an id, and no interface has it
    ends = Ends(lab)
    ends.protect()
    ends.b.ip(
        "link delete svti1",
        "addr add 192.168.1.2/32 dev lo",
        "xfrm policy add src 192.168.1.0/24 dst 192.168.1.0/24 dir in tmpl src 10.0.0.1 dst 10.0.0.2 proto esp reqid 1 mode tunnel",
    )
    ends.b.run("ip route add 192.168.1.1/32 dev eth0 src 192.168.1.2")
    capture = ends.b.capture("eth0")
    assert ends.a.ping(INSIDE[4], 2, wait=1) == 0
    capture.stop()
    assert not capture.packets("icmp") and not capture.packets("arp.dst.proto_ipv4 == 192.168.1.1")
    assert "XfrmInNoPols            \t2" in ends.b.run("cat /proc/net/xfrm_stat").stdout


def test_an_interface_that_is_down_takes_nothing(lab):
    ends = Ends(lab)
    ends.protect()
    ends.a.ping_ok(INSIDE[4])
    counters = Counters(ends.b, "svti1")
    ends.b.run("ip link set svti1 down")
    assert ends.a.ping(INSIDE[4], 2, wait=1) == 0
    assert counters.since() == {"rx-down": 2}
    ends.b.run("ip link set svti1 up")
    ends.a.ping_ok(INSIDE[4])


def test_what_comes_in_is_checked_against_the_inbound_spd(lab):
    ends = Ends(lab)
    ends.protect()
    counters = Counters(ends.b, "svti1")
    any_ = "src 0.0.0.0/0 dst 0.0.0.0/0"
    allow = policy("0.0.0.0/0", "0.0.0.0/0", "in", 1, "10.0.0.1", "10.0.0.2", verb="update")

    ends.b.ip(f"xfrm policy delete {any_} dir in if_id 1")
    assert ends.a.ping(INSIDE[4], 1, wait=1) == 0
    assert counters.since() == {"rx-no-policy": 1}
    ends.b.ip(f"xfrm policy update {any_} dir in if_id 1 action block")
    assert ends.a.ping(INSIDE[4], 1, wait=1) == 0
    assert counters.since() == {"rx-no-policy": 1, "rx-blocked": 1}
    # Another SA is demanded: by request id, by address, by mode, and one more besides.
    for wrong in (
        allow.replace("reqid 1", "reqid 2"),
        allow.replace("src 10.0.0.1", "src 10.0.0.9"),
        allow.replace("mode tunnel", "mode transport"),
        allow + " tmpl src 10.0.0.1 dst 10.0.0.2 proto ah reqid 1 mode transport",
    ):
        ends.b.ip(wrong)
        before = counters.since().get("rx-template", 0)
        assert ends.a.ping(INSIDE[4], 1, wait=1) == 0
        assert counters.since()["rx-template"] == before + 1, wrong
    ends.b.ip(allow)
    ends.a.ping_ok(INSIDE[4])


def test_two_svtis_with_the_same_selectors_use_their_own_sas(lab):
    # b has svti1 and svti2 with the same addresses inside; only the id tells them apart
    ends = Ends(lab)
    for host, n in ((ends.a, 1), (ends.b, 2)):
        ends.svti(host, "svti2", 2, 2, n)
    ends.protect()
    ends.states(if_id=2, reqid=2, spi=0x200)
    ends.policies(if_id=2, reqid=2)
    for _ in range(2):
        ends.a.ping_ok("192.168.1.2", 3, interval=0.1)
    ends.a.ping_ok("192.168.2.2", 2, interval=0.1)
    sent = {s["spi"]: s["packets"] for s in ends.a.sas()}
    assert sent == {0x101: 6, 0x102: 6, 0x201: 2, 0x202: 2}


def test_one_svti_carries_many_peers(lab):
    #   a ─── b with 24 addresses, each a peer of its own with a network of its own; the more specific one is met by priority
    ends = Ends(lab)
    peers = range(10, 34)
    ends.b.ip(*(f"addr add 10.0.0.{n}/32 dev eth0" for n in peers), *(f"addr add 172.16.{n}.1/32 dev svti1" for n in peers))
    for host, flip in ((ends.a, False), (ends.b, True)):
        commands = []
        for n in peers:
            commands += [sa("10.0.0.1", f"10.0.0.{n}", n, 1, n), sa(f"10.0.0.{n}", "10.0.0.1", 0x1000 + n, 1, n)]
            for direction in ("out", "in"):
                outer = ("10.0.0.1", f"10.0.0.{n}")
                inner = ("192.168.1.0/24", f"172.16.{n}.0/24")
                if (direction == "in") != flip:
                    outer, inner = outer[::-1], inner[::-1]
                commands.append(policy(*inner, direction, 1, *outer, n))
        host.ip(*commands)
    ends.a.route("172.16.0.0/16", dev="svti1")
    for n in peers:
        ends.a.ping_ok(f"172.16.{n}.1", 1)
    counts = {s["spi"]: s["packets"] for s in ends.a.sas()}
    assert counts == {spi: 1 for n in peers for spi in (n, 0x1000 + n)}
    assert ends.a.ping("172.16.40.1", 1, wait=1) == 0


def test_rekey_loses_nothing_and_uses_the_new_sa(lab):
    ends = Ends(lab)
    ends.protect()
    ping = ends.a.ping_background(INSIDE[4], interval=0.05)
    ping.wait_received(3)
    for n in range(1, 4):
        old, new = 0x100 * n, 0x100 * (n + 1)
        to_b, to_a = sa("10.0.0.1", "10.0.0.2", new + 1, 1), sa("10.0.0.2", "10.0.0.1", new + 2, 1)
        # Make before break, and each end can receive before the other sends (RFC 7296 2.8).
        ends.a.ip(to_a)
        ends.b.ip(to_b, to_a)
        ends.a.ip(to_b)
        ping.wait_received(3)
        # The newest is used, also while the old one is still good.
        counts = {s["spi"]: s["packets"] for s in ends.a.sas()}
        time.sleep(0.5)
        later = {s["spi"]: s["packets"] for s in ends.a.sas()}
        assert later[old + 1] == counts[old + 1] and later[new + 1] > counts[new + 1]
        for host in (ends.a, ends.b):
            host.ip(
                f"xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi {old + 1:#x}",
                f"xfrm state delete src 10.0.0.2 dst 10.0.0.1 proto esp spi {old + 2:#x}",
            )
        # Both ends have been sending with the new ones for a while.
        ping.wait_received(3)
    sent, received = ping.finish()
    assert sent - received <= 1  # the last may be under way


def test_a_replaced_policy_takes_the_next_packet_elsewhere(lab):
    ends = Ends(lab)
    ends.protect()
    ends.states(reqid=2, spi=0x200)
    ends.a.ping_ok(INSIDE[4], 2)
    ping = ends.a.ping_background(INSIDE[4], interval=0.05)
    ping.wait_received(3)
    ends.b.ip(policy("0.0.0.0/0", "0.0.0.0/0", "in", 1, "10.0.0.1", "10.0.0.2", 2, verb="update"))
    ends.a.ip(policy("0.0.0.0/0", "0.0.0.0/0", "out", 1, "10.0.0.1", "10.0.0.2", 2, verb="update"))
    ping.wait_received(5)
    ping.finish()
    before = {s["spi"]: s["packets"] for s in ends.a.sas()}
    ends.a.ping_ok(INSIDE[4], 3)
    after = {s["spi"]: s["packets"] for s in ends.a.sas()}
    assert after[0x101] == before[0x101] and after[0x201] == before[0x201] + 3


def test_an_sa_that_is_deleted_flushed_or_expires_is_not_used_again(lab):
    ends = Ends(lab)
    ends.protect()
    delete = "xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x101"
    add = sa("10.0.0.1", "10.0.0.2", 0x101, 1)
    capture = ends.b.capture("eth0")
    for gone in ([delete], ["xfrm state flush"], None):
        if gone:
            ends.a.ping_ok(INSIDE[4], 2, interval=0.1)
            ends.a.ip(*gone)
        else:
            ends.a.ip("xfrm state flush", add + " limit packet-hard 3", sa("10.0.0.2", "10.0.0.1", 0x102, 1))
            ends.a.ping(INSIDE[4], 4, interval=0.1, wait=1)
        counters = Counters(ends.a, "svti1")
        ping = ends.a.popen(f"ping -n -c 1 -W 20 {INSIDE[4]}", name="ping")
        counters.wait("tx-queued")
        # New keys start at sequence number 1: so does the other end.
        for host in (ends.b, ends.a):
            host.ip("xfrm state flush")
        ends.states()
        ping.wait_output("1 received")
    capture.assert_only_ike_and_esp(["192.168.0.0/16"])


def test_an_update_moves_a_living_sa_to_another_id(lab):
    # UPDSA tells key managers of a stand-in; the SA itself has changed its id.
    ends = Ends(lab)
    for host, n in ((ends.a, 1), (ends.b, 2)):
        ends.svti(host, "svti2", 2, 2, n)
    ends.protect()
    ends.policies(if_id=2)
    ends.a.ping_ok("192.168.1.2")
    for host in (ends.a, ends.b):
        host.ip(*(sa(s, d, spi, 2, verb="update") for s, d, spi in (("10.0.0.1", "10.0.0.2", 0x101), ("10.0.0.2", "10.0.0.1", 0x102))))
    counters = Counters(ends.a, "svti1")
    ends.a.ping_ok("192.168.2.2")
    assert ends.a.ping("192.168.1.2", 1, wait=1) == 0
    assert counters.since() == {"tx-queued": 1}
    # To an id without interface, and back.
    for if_id in (3, 2):
        ends.a.ip(sa("10.0.0.1", "10.0.0.2", 0x101, if_id, verb="update"))
        assert ends.a.ping("192.168.2.2", 1, wait=1) == (if_id == 2)


def test_clear_inside_and_cipher_outside_in_different_namespaces(lab):
    #   inner: svti1 192.168.1.1 │ a: eth0 10.0.0.1, SAs, policies ─── b
    ends = Ends(lab, up=False)
    inner = lab.host("inner")
    ends.a.run("ip link delete svti1")
    file, into_inner = svti.netns_attr(inner)
    with file:
        svti.create(ends.a, "svti1", 1, more=into_inner)
    inner.ip("link set svti1 addrgenmode none up", "addr add 192.168.1.1/24 dev svti1")
    ends.b.run("ip link set svti1 up")
    ends.protect()
    capture = ends.b.capture("eth0")
    inner.ping_ok(INSIDE[4], 3)
    inner.ping_ok(INSIDE[4], 2, size=3000)

    # And the device moves, down and up again, under its SAs.
    other = lab.host("other")
    inner.run(["ip", "link", "set", "svti1", "netns", "other"])
    other.ip("link set svti1 up", "addr add 192.168.1.1/24 dev svti1")
    other.ping_ok(INSIDE[4], 2)
    capture.assert_only_ike_and_esp(["192.168.0.0/16"])


def test_forwarding_under_a_stock_spd_that_blocks_by_default(lab):
    #   left 172.16.1.2 ─── a ══════ b ─── right 172.16.2.2
    ends = Ends(lab)
    ends.protect()
    for gateway, n, name in ((ends.a, 1, "left"), (ends.b, 2, "right")):
        client = lab.host(name)
        lab.link(gateway, "lan0", client, "eth0")
        gateway.addr("lan0", f"172.16.{n}.1/24")
        client.addr("eth0", f"172.16.{n}.2/24")
        client.run(f"ip route add default via 172.16.{n}.1")
        gateway.forward()
        gateway.route(f"172.16.{3 - n}.0/24", dev="svti1")
        gateway.ip("xfrm policy setdefault in block fwd block")
        # What comes from the clients in clear is theirs to exempt, svti or not.
        gateway.sysctl("net.ipv4.conf.lan0.disable_policy", 1)
    left = lab.hosts["left"]
    left.ping_ok("172.16.2.2", 2)
    left.ping_ok("172.16.2.2", 2, size=1400)
    assert "Frag needed" in left.run("ping -c 1 -M do -s 1460 -W 2 172.16.2.2", check=False).stdout


def test_a_narrower_path_becomes_known_from_icmp(lab):
    #   a ─── r ─(mtu 1300)─ b: DF of an ESP packet, r says too big
    r, a, b = lab.host("r"), lab.host("a"), lab.host("b")
    lab.link(a, "eth0", r, "toa")
    lab.link(b, "eth0", r, "tob", mtu=1300)
    for host, dev, addresses in (
        (a, "eth0", ("10.1.0.1/24", "fd0a::1/64")),
        (r, "toa", ("10.1.0.9/24", "fd0a::9/64")),
        (b, "eth0", ("10.2.0.2/24", "fd0b::2/64")),
        (r, "tob", ("10.2.0.9/24", "fd0b::9/64")),
    ):
        host.addr(dev, *addresses)
    r.forward()
    a.ip("route add 10.2.0.0/24 via 10.1.0.9")
    a.ip("route add fd0b::/64 via fd0a::9", family="-6")
    b.ip("route add 10.1.0.0/24 via 10.2.0.9")
    b.ip("route add fd0a::/64 via fd0b::9", family="-6")
    for host, n in ((a, 1), (b, 2)):
        Ends.svti(host, "svti1", 1, 1, n)
    outer = {4: ("10.1.0.1", "10.2.0.2"), 6: ("fd0a::1", "fd0b::2")}
    for family, inner, target in ((4, "192.168.1.0/24", "192.168.1.2"), (6, "fd01::/64", "fd01::2")):
        one, two = outer[family]
        for host, here, there in ((a, one, two), (b, two, one)):
            host.ip(
                sa(one, two, 0x100 + family, 1, family),
                sa(two, one, 0x200 + family, 1, family),
                policy(inner, inner, "out", 1, here, there, family),
                policy(inner, inner, "in", 1, there, here, family),
            )
        ping = "ping -M do -s 1260 -W 1 -c 1 " + target
        a.run(ping, check=False)  # dropped at r, which tells a

        def told():
            # by ICMP; or by the socket's own error, once the MTU of the interface has followed the path
            done = a.run(ping, check=False)
            return re.search(r"mtu ?[=:] ?(\d+)", done.stdout + done.stderr)

        assert int(wait_until(told, "the sender is told a smaller MTU")[1]) < 1300
        # Once both ends know, the size gets through all the same: in fragments inside, outside, or both.
        more = "-M dont" if family == 4 else ""
        a.ping(target, 4, size=1260, wait=1, more=more)
        a.ping_ok(target, 2, size=1260, more=more)


# An ICMP error from `here`, about a packet from `src` to `dst`: type and code, addresses, protocol of that packet.
FORGE = """
import socket, struct, sys
here, there, src, dst, kind, code = sys.argv[1:7]
def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
inner = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton(dst)) + struct.pack(">HHHH", 1111, 2222, 8, 0)
body = struct.pack(">BBHI", int(kind), int(code), 0, 0) + inner
body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.bind((here, 0))
s.sendto(body, (there, 0))
"""


@pytest.mark.parametrize("flag", [True, False])
def test_icmp_errors_of_a_router_in_between(lab, flag):
    # Policies cover what is behind b, and not b itself: with the flag `icmp` of the SA its errors about such flows come in, and nothing else of it.
    ends = Ends(lab)
    ends.states(more="flag icmp" if flag else "")
    nets = (("192.168.1.0/24", "192.168.2.0/24"), ("fd01::/64", "fd02::/64"))
    for near, far in nets:
        ends.a.ip(policy(near, far, "out", 1, "10.0.0.1", "10.0.0.2"), policy(far, near, "in", 1, "10.0.0.2", "10.0.0.1"))
        ends.b.ip(policy(near, far, "in", 1, "10.0.0.1", "10.0.0.2"), policy(far, near, "out", 1, "10.0.0.2", "10.0.0.1"))
        ends.b.ip(policy(near, near, "out", 1, "10.0.0.2", "10.0.0.1"))  # it sends whatever it says
    ends.b.ip("link add lan type dummy", "link set lan up", "addr add 192.168.2.1/24 dev lan", "addr add fd02::1/64 dev lan nodad")
    ends.b.forward()
    for _, far in nets:
        ends.a.ip(f"route add {far} dev svti1", family="-6" if ":" in far else "")
    ends.a.ping_ok("192.168.2.1", 2)
    ends.a.ping_ok("fd02::1", 2)
    counters = Counters(ends.a, "svti1")
    for target, said in (("192.168.2.9", "Time to live exceeded"), ("fd02::9", "Time exceeded")):
        out = ends.a.run(f"ping -c 2 -i 0.2 -W 2 -t 1 {target}", check=False).stdout
        assert (said in out) == flag, out
    assert counters.since().get("rx-no-policy", 0) == (0 if flag else 4)

    def errors(src, dst, kind, code):
        before = counters.since().get("rx-no-policy", 0)
        ends.b.run(["/usr/bin/python3", "-c", FORGE, "192.168.1.2", "192.168.1.1", src, dst, str(kind), str(code)])
        return counters.since().get("rx-no-policy", 0) - before

    dropped = 0 if flag else 1
    assert errors("192.168.1.1", "192.168.2.7", 3, 1) == dropped
    # what is known of one error is not taken for another: one about a flow that has no policy, in either direction; a redirect; no error at all
    assert errors("192.168.1.1", "10.9.9.9", 3, 1) == 1
    assert errors("192.168.2.7", "192.168.1.1", 3, 1) == 1
    assert errors("192.168.1.1", "192.168.2.7", 5, 1) == 1
    assert errors("192.168.1.1", "192.168.2.7", 8, 0) == 1
    assert errors("192.168.1.1", "192.168.2.7", 3, 1) == dropped
    # one that does not go to the sender of what it is about
    assert errors("192.168.1.5", "192.168.2.7", 3, 1) == 1


@pytest.mark.parametrize("flag", [True, False])
def test_icmp_errors_are_sent_by_the_policy_of_what_they_are_about(lab, flag):
    # As above, and b has no policy for what it says itself: that of the flow sends it, with the flag `icmp` (RFC 4301 6.2), and nothing else of b.
    ends = Ends(lab)
    ends.states(more="flag icmp")
    nets = (("192.168.1.0/24", "192.168.2.0/24"), ("fd01::/64", "fd02::/64"))
    for near, far in nets:
        ends.a.ip(policy(near, far, "out", 1, "10.0.0.1", "10.0.0.2"), policy(far, near, "in", 1, "10.0.0.2", "10.0.0.1"))
        ends.b.ip(policy(near, far, "in", 1, "10.0.0.1", "10.0.0.2"), policy(far, near, "out", 1, "10.0.0.2", "10.0.0.1", more="flag icmp" if flag else ""))
    ends.b.ip("link add lan type dummy", "link set lan up", "addr add 192.168.2.1/24 dev lan", "addr add fd02::1/64 dev lan nodad")
    ends.b.forward()
    for _, far in nets:
        ends.a.ip(f"route add {far} dev svti1", family="-6" if ":" in far else "")
    ends.a.ping_ok("192.168.2.1", 2)
    ends.a.ping_ok("fd02::1", 2)
    capture = ends.b.capture("eth0")
    counters = Counters(ends.b, "svti1")
    for target, said in (("192.168.2.9", "Time to live exceeded"), ("fd02::9", "Time exceeded")):
        out = ends.a.run(f"ping -c 2 -i 0.2 -W 2 -t 1 {target}", check=False).stdout
        assert (said in out) == flag, out
    assert counters.since().get("tx-no-policy", 0) == (0 if flag else 4)

    def told():
        names, values = [line.split() for line in ends.a.run("cat /proc/net/snmp").stdout.splitlines() if line.startswith("Icmp:")]
        return int(values[names.index("InDestUnreachs")])

    def errors(src, dst, kind, code):
        """How many of them were not sent: of one."""
        before = counters.since().get("tx-no-policy", 0)
        ends.b.run(["/usr/bin/python3", "-c", FORGE, "192.168.1.2", "192.168.1.1", src, dst, str(kind), str(code)])
        return counters.since().get("tx-no-policy", 0) - before

    refused, before = 0 if flag else 1, told()
    assert errors("192.168.1.1", "192.168.2.7", 3, 1) == refused
    if flag:
        wait_until(lambda: told() == before + 1, "a is told")
    # of another flow, of the other direction, a redirect, no error, and one that goes to somebody else than the sender of what it is about
    for other in (("192.168.1.1", "10.9.9.9", 3, 1), ("192.168.2.7", "192.168.1.1", 3, 1), ("192.168.1.1", "192.168.2.7", 5, 1),
                  ("192.168.1.1", "192.168.2.7", 8, 0), ("192.168.1.5", "192.168.2.7", 3, 1)):
        assert errors(*other) == 1, other
    assert errors("192.168.1.1", "192.168.2.7", 3, 1) == refused
    if flag:
        # Without an SA it waits, and is what it was when one has come.
        wait_until(lambda: told() == before + 2, "a is told again")
        ends.b.ip("xfrm state deleteall src 10.0.0.2")
        assert errors("192.168.1.1", "192.168.2.7", 3, 1) == 0 and counters.since()["tx-queued"] == 1
        ends.b.ip(sa("10.0.0.2", "10.0.0.1", 0x102, 1, more="flag icmp replay-oseq 100"))
        wait_until(lambda: told() == before + 3, "the one that waited comes")
    capture.stop()
    capture.assert_only_ike_and_esp(["192.168.0.0/16", "fd01::/64"])


def test_the_route_to_the_peer_must_not_lead_into_the_tunnel(lab):
    ends = Ends(lab)
    ends.protect()
    ends.a.ping_ok(INSIDE[4])
    counters = Counters(ends.a, "svti1")
    ends.a.run("ip route add 10.0.0.2/32 dev svti1")
    assert ends.a.ping(INSIDE[4], 2, wait=1) == 0
    assert counters.since()["tx-loop"] == 2
    ends.a.run("ip route delete 10.0.0.2/32 dev svti1")
    ends.a.ping_ok(INSIDE[4])
    ends.a.ip("route add unreachable 10.0.0.2/32", "link set eth0 down")
    assert ends.a.ping(INSIDE[4], 1, wait=1) == 0
    assert counters.since()["tx-no-route"] == 1


def test_snat_of_an_inner_packet_does_not_take_it_out_of_the_tunnel(lab):
    # Netfilter may route a packet anew after it has changed it, when a bundle is already attached to it.
    ends = Ends(lab)
    ends.protect()
    ends.a.ip("addr add 192.168.7.7/32 dev lo", "addr add 192.168.1.77/32 dev svti1")
    ends.a.run("nft -f -", input=SNAT)
    capture = ends.b.capture("eth0")
    ends.a.ping(INSIDE[4], 3, wait=1, source="192.168.7.7")
    ends.a.ping_ok(INSIDE[4], 2)
    capture.assert_only_ike_and_esp(["192.168.0.0/16"])


def test_an_xfrm_interface_lives_beside_it(lab):
    ends = Ends(lab)
    ends.protect()
    for host, n in ((ends.a, 1), (ends.b, 2)):
        host.ip("link add xfrm2 type xfrm if_id 2", f"addr add 192.168.2.{n}/24 dev xfrm2", "link set xfrm2 up")
    ends.states(if_id=2, reqid=2, spi=0x200)
    ends.policies(if_id=2, reqid=2, inner=(4,))
    for _ in range(2):
        ends.a.ping_ok("192.168.1.2", 2)
        ends.a.ping_ok("192.168.2.2", 2)
    assert {s["spi"]: s["packets"] for s in ends.a.sas()} == {0x101: 4, 0x102: 4, 0x201: 4, 0x202: 4}
    # And a plain tunnel beside both.
    ends.a.ip("addr add 192.168.3.1/32 dev lo")
    ends.b.ip("addr add 192.168.3.2/32 dev lo")
    for host, here, there, dst in ((ends.a, 1, 2, "10.0.0.2"), (ends.b, 2, 1, "10.0.0.1")):
        host.run(f"ip route add 192.168.3.{there} via {dst} src 192.168.3.{here}")
        for line in (
            *(sa(f"10.0.0.{s}", f"10.0.0.{d}", spi, 0, 3).replace("if_id 0x0", "") for s, d, spi in ((1, 2, 0x301), (2, 1, 0x302))),
            *(
                policy(f"192.168.3.{s}/32", f"192.168.3.{d}/32", direction, 0, f"10.0.0.{s}", f"10.0.0.{d}", 3).replace("if_id 0x0", "")
                for direction, s, d in (("out", here, there), ("in", there, here))
            ),
        ):
            host.ip(line)
    ends.a.ping_ok("192.168.3.2", 2)
    ends.a.ping_ok("192.168.1.2", 2)


def test_the_underlay_vanishes_under_traffic(lab):
    ends = Ends(lab)
    ends.protect()
    ping = ends.a.ping_background(INSIDE[4], interval=0.02)
    ping.wait_received(5)
    ends.a.run("ip link delete eth0")
    ends.a.ping(INSIDE[4], 2, wait=1)
    lab.link(ends.a, "eth0", ends.b, "eth0")
    ends.a.addr("eth0", "10.0.0.1/24")
    ends.b.addr("eth0", "10.0.0.2/24")
    ends.a.ping_until(INSIDE[4])
    ping.kill()


@pytest.mark.limit(400)
def test_module_interface_and_namespace_go_away_under_traffic(lab):
    module = f"{os.environ['SVTI_STAGE']}/svti.ko"
    ends = Ends(lab)
    ends.protect()
    flood = [host.popen(f"ping -n -f -s 1000 {target}", name="flood") for host, target in ((ends.a, "192.168.1.2"), (ends.b, "192.168.1.1"))]
    try:
        for n in range(3):
            time.sleep(1)
            if n == 1:
                subprocess.run(["rmmod", "svti"], check=True)
                subprocess.run(["insmod", module], check=True)
            else:
                ends.a.run("ip link delete svti1")
                ends.b.run("ip link set svti1 down")
            for k, host in ((1, ends.a), (2, ends.b)):
                if svti.exists(host, "svti1"):
                    host.run("ip link set svti1 up")
                else:
                    ends.svti(host, "svti1", 1, 1, k)
            for process in flood:
                process.kill()
            ends.a.ping_until(INSIDE[4])  # policies and states were there before the interface
            flood = [host.popen(f"ping -n -f -s 1000 {t}", name="flood") for host, t in ((ends.a, "192.168.1.2"), (ends.b, "192.168.1.1"))]
        time.sleep(1)
        lab.hosts.pop("b").close()
        time.sleep(2)
    finally:
        for process in flood:
            process.kill()

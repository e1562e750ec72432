# SPDX-License-Identifier: Apache-2.0
"""What an svti says of its tunnel: operational state, MTU, counters, tracepoints, requests for SAs."""
import pathlib
import json
import re
import subprocess
import time

import svti
from lab import wait_until
from svti import Counters, Ends, policy, sa

INSIDE = {4: "192.168.1.2", 6: "fd01::2"}
AUTO_MTU = 7  # IFLA_SVTI_AUTO_MTU


def link(host, name="svti1"):
    return json.loads(host.run(f"ip -j -d link show {name}").stdout)[0]


def wait_state(host, state):
    wait_until(lambda: link(host)["operstate"] == state, f"svti1 becomes {state}; is {link(host)}", 20)


def wait_mtu(host, mtu):
    wait_until(lambda: link(host)["mtu"] == mtu, f"svti1 gets MTU {mtu}; has {link(host)['mtu']}", 20)


def ethtool(host, name="svti1"):
    return {k: int(v) for k, v in re.findall(r"^\s+(\S+): (\d+)$", host.run(f"ethtool -S {name}").stdout, re.MULTILINE)}


def test_the_state_follows_the_sas_for_sending(lab):
    ends = Ends(lab)
    a = ends.a
    to_b, to_a = sa("10.0.0.1", "10.0.0.2", 0x101, 1), sa("10.0.0.2", "10.0.0.1", 0x102, 1)
    delete = "xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x101"
    wait_state(a, "DORMANT")
    # Dormant is not without carrier: routes stay, or nothing would come that could ask for an SA.
    assert "LOWER_UP" in link(a)["flags"] and "DORMANT" in link(a)["flags"]
    assert "linkdown" not in a.run("ip route show dev svti1").stdout

    a.ip(to_a)
    assert "DORMANT" in link(a)["flags"], "an SA for receiving sends nothing"
    a.ip(to_b)
    assert "DORMANT" not in link(a)["flags"], "the flag changes with the SAD, not some time later"
    wait_state(a, "UP")
    monitor = a.popen("ip monitor link", name="monitor")
    a.ip(sa("10.0.0.1", "10.0.0.2", 0x201, 1), delete)  # a rekey
    time.sleep(2)
    assert "DORMANT" not in monitor.output()
    a.ip("xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x201")
    wait_state(a, "DORMANT")
    monitor.wait_output("state DORMANT")

    for gone in ("xfrm state flush", sa("10.0.0.1", "10.0.0.2", 0x101, 2, verb="update")):
        a.ip("xfrm state flush", to_b)
        wait_state(a, "UP")
        a.ip(gone)
        wait_state(a, "DORMANT")
    # An SA for receiving may come before the address that tells it for one.
    a.ip("xfrm state flush", sa("10.0.0.2", "10.0.0.77", 0x103, 1), sa("fd00::2", "fd00::77", 0x104, 1))
    wait_state(a, "UP")
    a.ip("addr add 10.0.0.77/32 dev eth0", "addr add fd00::77/128 dev eth0")
    wait_state(a, "DORMANT")

    # Down and up again with an SA.
    a.ip(to_b, "link set svti1 down", "link set svti1 up")
    wait_state(a, "UP")


def test_the_mtu_follows_sas_and_paths_unless_it_is_fixed(lab):
    ends = Ends(lab)
    a = ends.a
    ends.policies()
    assert link(a)["mtu"] == 1500

    def fits_exactly():
        """The largest inner packet fills the outer one; one octet more is refused at its sender."""
        mtu = link(a)["mtu"]
        assert a.ping(INSIDE[4], 1, size=mtu - 28, more="-M do") == 1
        assert a.ping(INSIDE[4], 1, size=mtu - 27, more="-M do", wait=1) == 0

    counters = Counters(a, "svti1")
    # ESP in IPv4, AES-GCM: 20 + 8 + 8 outside, pad to 4 with 2 of trailer, ICV 16: 1500 - 52 = 1448, less trailer: 1446.
    ends.states()
    wait_mtu(a, 1446)
    fits_exactly()
    # A rekey to AES-CBC with SHA-256: IV 16, blocks of 16, ICV 16; the tightest of both counts while both live.
    ends.states(spi=0x200, suite="cbc")
    wait_mtu(a, 1438)
    for host in (ends.a, ends.b):
        host.ip("xfrm state delete src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x101", "xfrm state delete src 10.0.0.2 dst 10.0.0.1 proto esp spi 0x102")
    fits_exactly()
    assert counters.since() == {}, "no packet was too big for the tunnel after it was small enough for the interface"
    # Behind a NAT: eight octets of UDP.
    a.ip("xfrm state flush", sa("10.0.0.1", "10.0.0.2", 0x301, 1, more="encap espinudp 4500 4500 0.0.0.0"))
    wait_mtu(a, 1438)
    a.ip("xfrm state flush", sa("fd00::1", "fd00::2", 0x301, 1, more="encap espinudp 4500 4500 ::"))
    wait_mtu(a, 1418)
    # The last one stays until there is something new to go by.
    a.ip("xfrm state flush")
    time.sleep(1)
    assert link(a)["mtu"] == 1418
    ends.b.ip("xfrm state flush")
    ends.states()
    wait_mtu(a, 1446)

    # The underlay, and the route to the peer.
    for host in (ends.a, ends.b):
        host.run("ip link set eth0 mtu 1400")
    wait_mtu(a, 1346)
    fits_exactly()
    a.run("ip route replace 10.0.0.2/32 dev eth0 mtu 1350")
    a.ping(INSIDE[4], 1)  # routes are looked at with the next packet
    wait_mtu(a, 1294)
    # Never less than IPv6 needs.
    a.run("ip route replace 10.0.0.2/32 dev eth0 mtu 800")
    a.ping(INSIDE[4], 1)
    wait_mtu(a, 1280)
    a.run("ip route delete 10.0.0.2/32 dev eth0")
    a.ping(INSIDE[4], 1)
    wait_mtu(a, 1346)

    # Fixed by the user, until told otherwise.
    a.run("ip link set svti1 mtu 1300")
    assert svti.show(a, "svti1")[2][AUTO_MTU] == b"\0"
    ends.states(spi=0x400, suite="cbc")
    for host in (ends.a, ends.b):
        host.run("ip link set eth0 mtu 1500")
    time.sleep(1)
    assert link(a)["mtu"] == 1300
    svti.change(a, "svti1", data=svti.attr(AUTO_MTU, b"\1"))
    wait_mtu(a, 1438)
    svti.create(a, "svti2", 2, more=svti.attr(4, 1400))
    assert svti.show(a, "svti2")[2][AUTO_MTU] == b"\0" and link(a, "svti2")["mtu"] == 1400


def test_ethtool_tells_every_counter(lab):
    ends = Ends(lab)
    svti.send_udp(ends.a, [(INSIDE[4], 9)])
    told = ethtool(ends.a)
    assert {reason: told[reason] for reason in svti.XSTATS} == svti.xstats(ends.a, "svti1")
    assert told["tx-no-policy"] == 1 and told["tx-full-lookup"] == 1

    # A flow that is known costs no lookup; other ports make another flow; a change of the SPD makes all unknown.
    ends.protect()
    before = ethtool(ends.a)
    # There is a table for each CPU: all of it happens on one.
    ends.a.run(f"taskset -c 0 ping -c 5 -i 0.1 -W 5 {INSIDE[4]}")
    after = ethtool(ends.a)
    grown = {k: after[k] - before[k] for k in after if after[k] != before[k]}
    assert 1 <= grown["tx-full-lookup"] <= 3 and 1 <= grown["rx-full-lookup"] <= 3 and grown["tx-bundle-built"] == 1
    ends.a.ip("xfrm policy add src 10.9.0.0/16 dst 10.8.0.0/16 dir out if_id 1 action block")
    ends.a.ping_ok(INSIDE[4], 1)
    assert ethtool(ends.a)["tx-full-lookup"] > after["tx-full-lookup"]
    svti.send_udp(ends.a, [(INSIDE[4], port) for port in range(100, 110)])
    assert ethtool(ends.a)["tx-full-lookup"] >= after["tx-full-lookup"] + 10


def test_a_known_flow_obeys_the_next_policy(lab):
    # Each of these takes effect with the very next packet of a flow that was known a moment before.
    ends = Ends(lab)
    ends.states()
    ends.policies(priority=10)
    counters, there = Counters(ends.a, "svti1"), Counters(ends.b, "svti1")
    flow = [(INSIDE[4], 7)]
    for n in range(1, 4):
        svti.send_udp(ends.a, flow)
        ends.a.ip("xfrm policy add src 0.0.0.0/0 dst 192.168.1.2/32 proto udp dport 7 dir out if_id 1 action block")
        svti.send_udp(ends.a, flow)
        assert counters.since() == {"tx-blocked": n}
        ends.a.ip("xfrm policy delete src 0.0.0.0/0 dst 192.168.1.2/32 proto udp dport 7 dir out if_id 1")
        svti.send_udp(ends.a, flow)
        ends.b.ip("xfrm policy add src 0.0.0.0/0 dst 192.168.1.2/32 proto udp dport 7 dir in if_id 1 action block")
        svti.send_udp(ends.a, flow)
        there.wait("rx-blocked", n)
        ends.b.ip("xfrm policy delete src 0.0.0.0/0 dst 192.168.1.2/32 proto udp dport 7 dir in if_id 1")
        svti.send_udp(ends.a, flow)
    assert there.since() == {"rx-blocked": 3}
    # The mark belongs to the flow.
    ends.a.ip("xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 mark 5 mask 0xff dir out if_id 1 action block")
    for mark, blocked in ((0, 0), (5, 1), (0, 0), (0x105, 1)):
        before = counters.since().get("tx-blocked", 0)
        ends.a.ping(INSIDE[4], 1, wait=1, more=f"-m {mark}" if mark else "")
        assert counters.since().get("tx-blocked", 0) - before == blocked


def test_drops_and_requests_can_be_traced(lab):
    ends = Ends(lab)
    tracing = pathlib.Path("/sys/kernel/tracing")
    if not (tracing / "events").exists():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", str(tracing)], check=True)
    events = tracing / "events/svti/enable"
    (tracing / "trace").write_text("")
    events.write_text("1")
    try:
        svti.send_udp(ends.a, [(INSIDE[4], 9)])
        ends.policies()
        svti.send_udp(ends.a, [(INSIDE[4], 9)])
        told = (tracing / "trace").read_text()
    finally:
        events.write_text("0")
    assert re.search(r"svti_drop: dev=svti1 .* protocol=0x0800 reason=tx-no-policy", told), told
    assert re.search(r"svti_acquire: dev=svti1 .* src4=192.168.1.1 dst4=192.168.1.2 proto=17 policy=\d+", told), told


def test_requests_for_sas_are_limited_for_an_interface(lab):
    # Someone who scans a net with a policy for each address must not flood the IKE daemon.
    ends = Ends(lab)
    count = 400
    ends.a.ip(*(policy("0.0.0.0/0", f"10.7.{n >> 8}.{n & 255}/32", "out", 1, "10.0.0.1", f"10.1.{n >> 8}.{n & 255}", n) for n in range(1, count + 1)))
    ends.a.route("10.7.0.0/16", dev="svti1")
    started = time.monotonic()
    svti.send_udp(ends.a, [(f"10.7.{n >> 8}.{n & 255}", 9) for n in range(1, count + 1)])
    seconds = time.monotonic() - started
    told = ethtool(ends.a)
    assert told["tx-acquire"] + told["tx-acquire-limited"] == count
    assert 100 <= told["tx-acquire"] <= 100 * (2 + int(seconds)), f"{told} in {seconds:.1f} s"
    # The same policy is not asked for again within a second, whatever comes.
    ends.a.ip("xfrm state flush")
    before = ethtool(ends.a)
    svti.send_udp(ends.a, [("10.7.0.1", 9)] * 50)
    assert ethtool(ends.a)["tx-acquire"] - before["tx-acquire"] <= 1 + int(time.monotonic() - started)

# SPDX-License-Identifier: Apache-2.0
"""What hangs on an svti as on any network device: netfilter's hooks, tc's filters and queues, marks, a VRF around it.

        a ───────────── underlay ───────────── b
          10.0.0.1                    10.0.0.2            outside, also fd00::1, fd00::2
          svti1 192.168.1.1     svti1 192.168.1.2         inside, also fd01::1, fd01::2; svti-id 1
"""
import json

import pytest

import svti
from svti import Counters, Ends, sa

INSIDE = {4: "192.168.1.2", 6: "fd01::2"}

# Each counts what it sees of the tunnel; ingress and egress of the device, the hooks of the stack, and the underlay after encryption.
RULES = """
table netdev dev {
  counter before-in {}
  counter before-out {}
  chain in { type filter hook ingress device "svti1" priority 0; meta protocol ip counter name before-in; }
  chain out { type filter hook egress device "svti1" priority 0; meta protocol ip counter name before-out; }
}
table inet stack {
  counter in {}
  counter out {}
  counter post {}
  counter cipher {}
  counter clear {}
  chain input { type filter hook input priority 0; iifname "svti1" meta nfproto ipv4 counter name in; }
  chain output { type filter hook output priority 0; oifname "svti1" meta nfproto ipv4 counter name out; }
  chain post {
    type filter hook postrouting priority 0;
    oifname "svti1" meta nfproto ipv4 counter name post
    oifname "eth0" meta l4proto esp counter name cipher
    oifname "eth0" meta l4proto icmp counter name clear
  }
}
"""


def nft(host, text):
    host.run(["nft", "-f", "-"], input=text)


def counters(host):
    """{name: packets} of nft's named counters."""
    found = json.loads(host.run("nft -j list counters").stdout)["nftables"]
    return {c["counter"]["name"]: c["counter"]["packets"] for c in found if "counter" in c}


def test_nft_sees_and_stops_packets_at_every_hook(lab):
    ends = Ends(lab)
    ends.protect()
    nft(ends.a, RULES)
    ends.a.ping_ok(INSIDE[4], 3, interval=0.1)
    # An inner packet passes the postrouting hook twice: towards the svti, and, as XFRM has it, towards the underlay, before
    # it is encrypted.
    assert counters(ends.a) == {"before-in": 3, "before-out": 3, "in": 3, "out": 3, "post": 3, "cipher": 3, "clear": 3}
    # Who is told of a drop (EPERM) sends again, so the number is not known.
    for family, hook, passed, stopped in (
        ("netdev", 'egress device "svti1"', "before-out", "cipher"),
        ("netdev", 'ingress device "svti1"', "before-in", "in"),
        ("inet", "output", "out", "before-out"),
        ("inet", "input", "in", None),
    ):
        what = "meta protocol ip" if family == "netdev" else "meta l4proto icmp"
        nft(ends.a, f"table {family} stop {{ chain c {{ type filter hook {hook} priority 10; {what} drop; }}; }}")
        ends.a.run("nft reset counters")
        dropped = Counters(ends.a, "svti1")
        assert ends.a.ping(INSIDE[4], 2, wait=1, interval=0.1) == 0, hook
        seen = counters(ends.a)
        assert seen[passed] >= 2 and not seen.get(stopped), (hook, seen)
        assert dropped.since() == {}  # not by the svti
        ends.a.run(f"nft delete table {family} stop")
    ends.a.ping_ok(INSIDE[4])


def tc_packets(host, side):
    """Packets that the actions of the filters on one side of svti1 have seen, by the filter's handle."""
    shown = json.loads(host.run(f"tc -j -s filter show dev svti1 {side}").stdout)
    return {f["pref"]: f["options"]["actions"][0]["stats"]["packets"] for f in shown if f.get("options", {}).get("actions")}


def test_tc_counts_marks_and_drops_on_both_sides(lab):
    ends = Ends(lab)
    ends.protect()
    a = ends.a
    for line in (
        "qdisc add dev svti1 clsact",
        "filter add dev svti1 egress pref 1 protocol ip flower ip_proto icmp action skbedit mark 5 pipe action ok",
        "filter add dev svti1 ingress pref 1 protocol ip flower ip_proto icmp action skbedit mark 9 pipe action ok",
    ):
        a.run("tc " + line)
    nft(a, 'table inet t { counter nine {}; chain i { type filter hook input priority 0; iifname "svti1" meta mark 9 counter name nine; }; }')
    a.ping_ok(INSIDE[4], 3, interval=0.1)
    assert tc_packets(a, "egress") == {1: 3} and tc_packets(a, "ingress") == {1: 3}
    assert counters(a) == {"nine": 3}

    # What tc marks on the way out, policies of the svti see.
    a.ip("xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 mark 5 mask 0xff dir out if_id 1 priority 0 action block", "xfrm policy delete src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id 1")
    blocked = Counters(a, "svti1")
    assert a.ping(INSIDE[4], 2, wait=1, interval=0.1) == 0
    assert blocked.since() == {"tx-blocked": 2}
    ends.a.ip("xfrm policy flush")
    ends.b.ip("xfrm policy flush")
    ends.policies()
    a.ping_ok(INSIDE[4])

    for side in ("egress", "ingress"):
        a.run(f"tc filter replace dev svti1 {side} pref 2 protocol ipv6 matchall action drop")
        dropped = Counters(a, "svti1")
        a.ping_ok(INSIDE[4])
        assert a.ping(INSIDE[6], 2, wait=1, interval=0.1) == 0
        assert tc_packets(a, side)[2] >= 2 and dropped.since() == {}
        a.run(f"tc filter del dev svti1 {side} pref 2")
    a.ping_ok(INSIDE[6])


def test_a_queue_in_front_of_an_svti(lab):
    # A device that needs none can have one all the same; packets come to the svti from another context then.
    ends = Ends(lab)
    ends.protect()
    ends.a.run("tc qdisc add dev svti1 root netem delay 20ms")
    for inner in (4, 6):
        ends.a.ping_ok(INSIDE[inner], 3, interval=0.1)
    shown = json.loads(ends.a.run("tc -j -s qdisc show dev svti1").stdout)
    assert [q["packets"] >= 6 and q["drops"] == 0 for q in shown if q["kind"] == "netem"] == [True]
    # What waits in it goes with the device.
    ends.a.run("tc qdisc change dev svti1 root netem delay 60s")
    assert ends.a.ping(INSIDE[4], 2, wait=0.5, interval=0.1) == 0
    svti.delete(ends.a, "svti1")


@pytest.mark.parametrize("outer", [4, 6])
def test_an_output_mark_with_a_mask_leaves_the_rest_of_the_mark_alone(lab, outer):
    # The mark of what leaves, and of the route it leaves by, is (mark of the packet & ~mask) | (mark of the SA & mask). The underlay is
    # reached by a rule for that mark only; what bears the mark of the inside goes inside.
    ends = Ends(lab)
    ends.policies(outer)
    (a, b), mark = ends.outer(outer), "output-mark 0x10 mask 0xf0"
    for host in (ends.a, ends.b):
        host.ip(sa(a, b, 0x101, 1, more=mark if host is ends.a else ""), sa(b, a, 0x102, 1, more=mark if host is ends.b else ""))
    for host, there in ((ends.a, 2), (ends.b, 1)):
        for family, net, peer in (("-4", "10.0.0.0/24", f"10.0.0.{there}"), ("-6", "fd00::/64", f"fd00::{there}")):
            host.ip(
                "rule add fwmark 0x10/0xf0 pref 10 table 100",
                "rule add fwmark 0x5/0xf pref 11 table 101",
                f"route add {peer} dev eth0 table 100",
                "route add default dev svti1 table 101",
                f"route del {net} dev eth0",
                family=family,
            )
    marks = (0x10, 0x15, 0x115)
    rules = "".join(f'oifname "eth0" meta l4proto esp meta mark {m:#x} counter name c{m:x}; ' for m in marks)
    nft(ends.a, f"table inet m {{ {''.join(f'counter c{m:x} {{}}; ' for m in marks)} chain p {{ type filter hook postrouting priority 0; {rules}}}; }}")
    for inner in (4, 6):
        for mark in (0, 0x5, 0x125):
            ends.a.ping_ok(INSIDE[inner], 2, interval=0.1, more=f"-m {mark}" if mark else "")
    seen = counters(ends.a)
    assert min(seen.values()) >= 4, seen


def test_an_svti_in_a_vrf_with_a_queue(lab):
    # The cases of the kernel's vrf-xfrm-tests.sh that have an xfrm interface: in a VRF, and in one with a qdisc.
    ends = Ends(lab)
    ends.protect()
    for n, host in ((1, ends.a), (2, ends.b)):
        host.ip("link add red type vrf table 10", "link set red up", "link set svti1 master red", f"addr add fd01::{n}/64 dev svti1 nodad")
    for qdisc in (False, True):
        if qdisc:
            ends.a.run("tc qdisc add dev red root netem delay 10ms")
        for inner in (4, 6):
            ends.a.ping_ok(INSIDE[inner], 2, interval=0.1, more="-I red")
    assert ends.a.ping(INSIDE[4], 1, wait=1) == 0

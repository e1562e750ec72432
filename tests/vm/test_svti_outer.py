# SPDX-License-Identifier: Apache-2.0
"""What the kernel's own tests of tunnels look at (tools/testing/selftests/net: l2_tos_ttl_inherit, pmtu), for an svti: what of the inner header goes into the
outer one, and what was learnt of paths when the interface goes.

        a ───────────── underlay ───────────── b
          10.0.0.1                    10.0.0.2            outside, also fd00::1, fd00::2
          svti1 192.168.1.1     svti1 192.168.1.2         inside, also fd01::1, fd01::2; svti-id 1
"""
import pytest

import svti
from lab import wait_until
from svti import Ends, sa

INSIDE = {4: "192.168.1.2", 6: "fd01::2"}
DSFIELD = {4: "ip.dsfield", 6: "ipv6.tclass"}
EF_ECT0 = 0xB8 | 2  # DSCP expedited forwarding, ECN capable


def outer(capture, family, *fields):
    """Values of the outer header's fields, of the ESP packets that a sent."""
    source = "ip.src == 10.0.0.1" if family == 4 else "ipv6.src == fd00::1"
    wanted = [word for field in (DSFIELD[family], *fields) for word in ("-e", field)]
    return {tuple(line.split("\t")) for line in capture.tshark("-Y", f"esp && {source}", "-T", "fields", *wanted)}


def number(text):
    return int(text, 0)


@pytest.mark.parametrize("family", [4, 6])
def test_the_outer_header_has_dscp_ecn_df_and_hop_limit_as_they_must_be(lab, family):
    """RFC 4301 5.1.2, RFC 6040: DSCP and ECN of the inner header are copied; the hop limit is the tunnel's own."""
    ends = Ends(lab)
    ends.protect(family)
    ends.a.sysctl("net.ipv4.ip_default_ttl", 77)
    for inner in (4, 6):
        capture = ends.a.capture("eth0", "esp or ip proto 50 or ip6 proto 50")
        ends.a.ping_ok(INSIDE[inner], 2, interval=0.1, more=f"-Q {EF_ECT0} -t 9")
        capture.stop()
        seen = outer(capture, family, "ip.ttl" if family == 4 else "ipv6.hlim")
        assert {number(ds) for ds, _ in seen} == {EF_ECT0}, (inner, seen)
        assert {number(hops) for _, hops in seen} == {77 if family == 4 else 64}, (inner, seen)
    if family == 4:
        for choice, df in (("do", "1"), ("dont", "0")):
            capture = ends.a.capture("eth0")
            ends.a.ping_ok(INSIDE[4], 2, interval=0.1, more=f"-M {choice}")
            capture.stop()
            assert {flag in ("1", "True") for _, flag in outer(capture, 4, "ip.flags.df")} == {df == "1"}, choice
    # An SA may keep DSCP or ECN to itself.
    a, b = ends.outer(family)
    ends.a.ip("xfrm state flush", sa(b, a, 0x102, 1), sa(a, b, 0x101, 1, more="extra-flag dont-encap-dscp").replace("flag af-unspec", "flag af-unspec flag noecn"))
    capture = ends.a.capture("eth0")
    ends.a.ping(INSIDE[4], 2, wait=1, interval=0.1, more=f"-Q {EF_ECT0}")
    capture.stop()
    assert {number(ds) for (ds,) in outer(capture, family)} == {0}


def test_congestion_met_under_way_is_told_inside(lab):
    """RFC 6040 4.2: a router between marks the outer header (CE); the inner one has that mark when it leaves the tunnel."""
    ends = Ends(lab)
    ends.protect()
    ends.b.run("nft -f -", input="""
table netdev t { chain c { type filter hook ingress device "eth0" priority 0; ip protocol esp ip ecn set ce; }; }
table inet seen { counter ce {}; chain i { type filter hook input priority 0; iifname "svti1" ip ecn ce counter name ce; }; }
""")
    ends.a.ping_ok(INSIDE[4], 3, interval=0.1, more="-Q 2")
    assert "packets 3" in ends.b.run("nft list counter inet seen ce").stdout


@pytest.mark.parametrize("what", ["interface", "namespace"])
def test_what_was_learnt_of_a_path_does_not_keep_an_interface_that_goes(lab, what):
    """Exceptions of routes by the svti hold the device: it must go all the same, as the namespace."""
    ends = Ends(lab)
    ends.protect()
    ends.a.ip("link set svti1 mtu 1500")  # fixed, and more than there is room for: the sender is told, and remembers
    for inner in (4, 6):
        ends.a.ping(INSIDE[inner], 2, size=1450, wait=1, interval=0.1, more="-M do")
    learnt = [ends.a.run(f"ip -{inner} route get {INSIDE[inner]}").stdout for inner in (4, 6)]
    assert all("mtu" in line for line in learnt), learnt
    if what == "interface":
        svti.delete(ends.a, "svti1")
        wait_until(lambda: not svti.exists(ends.a, "svti1"), "the interface is gone", 30)
        svti.create(ends.a, "svti1", 1)  # the id is free: nothing of the old one is left
    else:
        lab.hosts.pop("a").close()
        wait_until(lambda: ends.b.run("ip -o link show eth0", check=False).returncode != 0, "the namespace is gone, with the other end of its cable", 60)

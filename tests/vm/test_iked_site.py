# SPDX-License-Identifier: Apache-2.0
"""svti-iked on both gateways, with the guide's "site to site VPN" and an SVTI added:

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (svti-iked, svti100) ─── clientb
    192.168.0.2     192.0.2.1                      198.51.100.1      192.168.99.2
"""
import re

import pytest

from iked import GCM_ESP, GCM_IKE, Iked, configuration, esp_sas, pair, site, wait_clean, wait_tunnel
from lab import wait_until

# The use case as the guide prints it, svti-id-in, svti-id-out and install-routes added; gwb's is its mirror image.
GUIDE = """\
ike
    global-options
        install-routes true
        ..
    ike-policy-template iketemp1
        ike-proposal 1
            enc-alg aes128-cbc
            auth-alg hmac-sha512
            prf-alg hmac-sha512
            dh-group modp2048
            ..
        ..
    ipsec-policy-template ipsectemp1
        esp-proposal 1
            enc-alg aes128-cbc
            auth-alg hmac-sha256
            ..
        ah-proposal 1
            auth-alg hmac-sha512
            ..
        ..
    vpn siteA-siteB
        ike-policy
            template iketemp1
            ..
        ipsec-policy
            template ipsectemp1
            ..
        local-address {local}
        remote-address {remote}
        local-id {local_id}
        remote-id {remote_id}
        security-policy trunk
            local-ts subnet {local_ts}
            remote-ts subnet {remote_ts}
            svti-id-in 100
            svti-id-out 100
            ..
        ..
    pre-shared-key siteb
        id {remote_id}
        secret 0seaJ31RfzHNRvUSH0oUYg7znTW0I=
        ..
"""


def guide(side):
    a = {"address": "192.0.2.1", "id": "secgwa.6wind.net", "ts": "192.168.0.0/24"}
    b = {"address": "198.51.100.1", "id": "secgwb.6wind.net", "ts": "192.168.99.0/24"}
    here, there = (a, b) if side == "a" else (b, a)
    return GUIDE.format(
        local=here["address"], remote=there["address"], local_id=here["id"], remote_id=there["id"], local_ts=here["ts"], remote_ts=there["ts"]
    )


@pytest.fixture
def g(gateways):
    gateways.svtis()
    return gateways


def test_iked_site_guide_comes_up_by_command(g):
    iked_a, _ = Iked(g.gwa, guide("a")).start(), Iked(g.gwb, guide("b")).start()
    capture = g.capture()
    iked_a.initiate()
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    g.clientb.ping_ok("192.168.0.2", size=3000)
    capture.assert_only_ike_and_esp(g.INNER)

    # Reverse routes through the SVTI in table 220, the rule that leads there, and SAs and policies of that SVTI alone.
    for gateway, there in ((g.gwa, "192.168.99.0/24"), (g.gwb, "192.168.0.0/24")):
        assert [(r["dst"], r["dev"]) for r in gateway.routes() if r.get("type", "unicast") == "unicast"] == [(there, "svti100")]
        assert [(r["priority"], str(r["table"])) for r in gateway.rules()] == [(220, "220")]
        assert {sa["if_id"] for sa in esp_sas(gateway)} == {100}
        assert {policy["if_id"] for policy in gateway.policies()} == {100}

    # The state says what was negotiated.
    (sa,) = iked_a.ike_sas()
    assert sa["name"] == "siteA-siteB" and sa["state"] == "established"
    assert (sa["enc-alg"], sa["prf-alg"], sa["dh-group"]) == ("aes128-cbc", "hmac-sha512", "modp2048")
    (child,) = iked_a.children()
    assert child["name"] == "trunk" and child["state"] == "installed"
    assert {int(child["spi-in"], 16), int(child["spi-out"], 16)} == {s["spi"] for s in esp_sas(g.gwa)}
    assert int(child["packets-out"]) > 0


def test_iked_site_errors_of_routers_that_no_policy_covers_arrive(g):
    # gwb says it with the address of its SVTI, as routers of a site do with those of their links; selectors are the two LANs alone
    a, b = pair(start=("none", "none"), ike=GCM_IKE, esp=GCM_ESP, policies={"trunk": ("192.168.0.0/24", "192.168.99.0/24"), "six": ("fd00:a::/64", "fd00:b::/64")})
    iked_a, _ = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    for address in ("10.99.0.1/32", "fd00:99::1/128"):
        g.gwb.addr("svti100", address)
    g.gwb.run(["sysctl", "-qw", "net.ipv4.icmp_errors_use_inbound_ifaddr=1"])
    g.gwb.ip("link set lan0 mtu 1300")
    g.clientb.ip("link set eth0 mtu 1300")
    capture = g.capture()
    iked_a.initiate(policy="trunk")
    iked_a.initiate(policy="six")
    wait_tunnel(g.gwa, g.gwb, count=4)
    for target, said in (("192.168.99.2", r"From 10\.99\.0\.1 .*Frag needed and DF set \(mtu = 1300\)"), ("fd00:b::2", r"From \S+ .*Packet too big: mtu=1300")):
        out = g.clienta.run(["ping", "-M", "do", "-s", "1300", "-c", "2", "-W", "5", target], check=False).stdout
        assert re.search(said, out), out
    g.clienta.ping_ok("192.168.99.2", size=3000)
    capture.assert_only_ike_and_esp(g.INNER)


def test_iked_site_first_packet_starts_the_tunnel_and_arrives(g):
    # The packet that raised the acquire is kept and sent when the SA is there.
    a, b = pair(start=("trap", "trap"), ike=GCM_IKE, esp=GCM_ESP)
    iked_a, iked_b = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    capture = g.capture()
    assert not esp_sas(g.gwa)
    g.clienta.ping_ok("192.168.99.2", count=1, wait=60)
    wait_tunnel(g.gwa, g.gwb)
    g.clientb.ping_ok("192.168.0.2")
    capture.assert_only_ike_and_esp(g.INNER)
    assert len(iked_a.ike_sas()) == len(iked_b.ike_sas()) == 1


def test_iked_site_start_action_start(g):
    a, b = pair(start=("start", "none"), ike=GCM_IKE, esp=GCM_ESP)
    Iked(g.gwb, b).start()
    Iked(g.gwa, a).start()
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")


def test_iked_site_terminate_leaves_no_residue(g):
    a, b = pair()
    iked_a, iked_b = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    for _ in range(2):
        iked_a.initiate()
        wait_tunnel(g.gwa, g.gwb)
        g.clienta.ping_ok("192.168.99.2")
        iked_a.terminate()
        wait_clean(g.gwa, g.gwb)
        assert iked_a.ike_sas() == [] and iked_b.ike_sas() == []
    capture = g.capture()
    assert g.clienta.ping("192.168.99.2", 2, wait=1) == 0
    capture.stop()
    assert not capture.packets("ip.addr == 192.168.0.0/16 or esp")


def test_iked_site_end_of_the_daemon_leaves_no_residue(g):
    # Traps, routes and rule of both sides included.
    iked_a, iked_b = Iked(g.gwa, guide("a")).start(), Iked(g.gwb, guide("b")).start()
    iked_b.initiate()
    wait_tunnel(g.gwa, g.gwb)
    iked_b.stop()
    wait_clean(g.gwb)
    # The peer was told (DELETE): its SAs go, its trap stays.
    wait_until(lambda: not esp_sas(g.gwa), "gwa's SAs are deleted", 60)
    iked_a.stop()
    wait_clean(g.gwa)


def test_iked_site_several_policies_over_one_svti(g):
    policies = {"trunk": ("192.168.0.0/24", "192.168.99.0/24"), "trunk6": ("fd00:a::/64", "fd00:b::/64")}
    a, b = pair(policies=policies, ike=GCM_IKE, esp=GCM_ESP)
    iked_a, _ = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    capture = g.capture()
    iked_a.initiate(policy="trunk")
    iked_a.initiate(policy="trunk6")
    wait_tunnel(g.gwa, g.gwb, count=4)
    assert len(iked_a.ike_sas()) == 1
    g.clienta.ping_ok("192.168.99.2")
    g.clientb.ping_ok("fd00:a::2")
    capture.assert_only_ike_and_esp(g.INNER)
    assert [r["dst"] for r in g.gwa.routes(family=6) if r.get("type", "unicast") == "unicast"] == ["fd00:b::/64"]
    iked_a.terminate()
    wait_clean(g.gwa, g.gwb)


def test_iked_site_over_ipv6(g):
    a, b = pair(a="2001:db8:a::1", b="2001:db8:b::1", ike=GCM_IKE, esp=GCM_ESP)
    iked_a, _ = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    capture = g.capture()
    iked_a.initiate()
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    capture.assert_only_ike_and_esp(g.INNER)


def test_iked_site_rekey_under_ping(g):
    a, b = pair(ike=GCM_IKE, esp=GCM_ESP)
    iked_a, iked_b = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    iked_a.initiate()
    wait_tunnel(g.gwa, g.gwb)
    capture = g.capture()
    g.clienta.ping_ok("192.168.99.2")
    ping = g.clienta.ping_background("192.168.99.2")
    ping.wait_received(3)
    for iked in (iked_a, iked_b):
        spis = {sa["spi"] for sa in esp_sas(g.gwa)}
        ike = {(sa["initiator-spi"], sa["responder-spi"]) for sa in iked.ike_sas()}
        iked.rekey_child()
        wait_until(lambda old=spis: not old & {sa["spi"] for sa in esp_sas(g.gwa)}, "the old CHILD SA is gone", 60, interval=0.5)
        iked.rekey_ike()
        wait_until(
            lambda i=iked, old=ike: len(sas := i.ike_sas()) == 1 and not old & {(sa["initiator-spi"], sa["responder-spi"]) for sa in sas},
            "the old IKE SA is gone",
            60,
            interval=0.5,
        )
        ping.wait_received(5)
    sent, received = ping.finish()
    assert received >= sent - 1, f"{sent - received} of {sent} pings lost over four rekeys"
    wait_tunnel(g.gwa, g.gwb)
    capture.assert_only_ike_and_esp(g.INNER)


def test_iked_site_default_route_does_not_swallow_the_path_to_the_peer(g):
    # Everything that leaves site A goes through the tunnel: the route 0.0.0.0/0 of table 220 stands before the main table's.
    a, b = pair(policies={"trunk": ("192.168.0.0/24", "0.0.0.0/0")}, ike=GCM_IKE, esp=GCM_ESP, ike_policy=("dpd-delay 2s",))
    iked_a, iked_b = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    capture = g.capture()
    iked_a.initiate()
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    assert "wan0" in g.gwa.run("ip route get 198.51.100.1").stdout
    assert "svti100" in g.gwa.run("ip route get 203.0.113.1 from 192.168.0.1").stdout
    # IKE still gets through as well: a rekey needs both directions.
    ike = iked_a.ike_sas()[0]["initiator-spi"]
    iked_a.rekey_ike()
    wait_until(lambda: len(sas := iked_b.ike_sas()) == 1 and sas[0]["initiator-spi"] != ike, "the IKE SA is rekeyed", 60, interval=0.5)
    g.clientb.ping_ok("192.168.0.2")
    capture.assert_only_ike_and_esp(g.INNER)
    iked_a.terminate()
    wait_clean(g.gwa, g.gwb)


def test_iked_site_dead_peer_is_noticed_and_its_state_removed(g):
    options = ("install-routes true", "retransmit-tries 2", "retransmit-timeout 1.0", "retransmit-base 1.0")
    a, b = pair(ike=GCM_IKE, esp=GCM_ESP, options=options, ike_policy=("dpd-delay 2s",))
    iked_a, iked_b = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    iked_a.initiate()
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    iked_b.kill9()
    g.gwb.run("ip link set wan0 down")
    wait_clean(g.gwa, timeout=60)
    assert iked_a.ike_sas() == []


def test_iked_site_through_nat(g):
    # gwa's packets leave wan with wan's own address: ESP travels in UDP 4500, and gwb learns gwa's address from the packets.
    g.wan.run(
        "nft -f -",
        input="table ip nat {\n chain out {\n type nat hook postrouting priority srcnat;\n ip saddr 192.0.2.1 oifname tob masquerade\n }\n }\n",
    )
    a, b = pair(ike=GCM_IKE, esp=GCM_ESP, remote_b=False)
    iked_a, iked_b = Iked(g.gwa, a).start(), Iked(g.gwb, b).start()
    capture = g.capture()
    iked_a.initiate()
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    g.clientb.ping_ok("192.168.0.2")
    capture.assert_only_ike_and_esp(g.INNER)
    assert not capture.packets("ip.proto == 50"), "plain ESP behind a NAT"
    (sa,) = iked_b.ike_sas()
    assert sa["remote-address"] == "198.51.100.254"
    assert all(re.search(r"encap type espinudp sport \d+ dport \d+", s["text"]) for s in esp_sas(g.gwa) + esp_sas(g.gwb))


def test_iked_site_one_svti_carries_several_peers(g):
    # A third site behind gwc: gwa reaches both through the same svti100.
    gwc = g.lab.host("gwc")
    g.lab.link(gwc, "wan0", g.wan, "toc")
    g.wan.addr("toc", "203.0.113.254/24")
    gwc.addr("wan0", "203.0.113.1/24")
    gwc.addr("lo", "192.168.50.1/24")
    gwc.forward()
    gwc.ip("route add default via 203.0.113.254")
    gwc.svti("svti100", 100)

    quiet = ("start-action none", "close-action none", "dpd-action clear")
    ids = {"a": "secgwa.6wind.net", "b": "secgwb.6wind.net", "c": "secgwc.6wind.net"}
    nets = {"a": "192.168.0.0/24", "b": "192.168.99.0/24", "c": "192.168.50.0/24"}
    addresses = {"a": "192.0.2.1", "b": "198.51.100.1", "c": "203.0.113.1"}

    def vpn(here, there):
        policies = {f"trunk-{here}{there}": (nets[here], nets[there])}
        return site(f"to-{there}", addresses[here], addresses[there], ids[here], ids[there], policies, ipsec_policy=quiet, ike=GCM_IKE, esp=GCM_ESP)

    hub = Iked(g.gwa, configuration(vpn("a", "b"), vpn("a", "c"))).start()
    Iked(g.gwb, configuration(vpn("b", "a"))).start()
    Iked(gwc, configuration(vpn("c", "a"))).start()
    capture = g.capture()
    hub.initiate("to-b", "trunk-ab")
    hub.initiate("to-c", "trunk-ac")
    wait_tunnel(g.gwa, count=4)
    g.clienta.ping_ok("192.168.99.2")
    g.clienta.ping_ok("192.168.50.1")
    capture.assert_only_ike_and_esp((*g.INNER, "192.168.50.0/24"))
    # One goes, the other stays.
    hub.terminate("to-b")
    wait_tunnel(g.gwa, count=2)
    assert g.clienta.ping("192.168.99.2", 1, wait=1) == 0
    g.clienta.ping_ok("192.168.50.1")

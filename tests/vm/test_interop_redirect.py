# SPDX-License-Identifier: Apache-2.0
"""Redirect (RFC 5685) between svti-iked and strongSwan, each as the client and as the gateway. The gateway has two addresses, and sends the
client from one to the other.

    clienta ─── gwa (the client, svti100) ═══ wan ═══ gwb (the gateway, svti100) ─── clientb
"""
import re

import pytest

from iked import GCM_ESP, GCM_IKE, SECRET, Iked, configuration, site, wait_tunnel
from lab import wait_until
from strongswan import StrongSwan, connection

CLIENT, FIRST, OTHER = "192.0.2.1", "198.51.100.1", "198.51.100.2"
IDS = ("secgwa.example", "secgwb.example")
TS = ("192.168.0.0/24", "192.168.99.0/24")
SWAN = ("aes128gcm16-prfsha256-curve25519", "aes128gcm16", SECRET)
QUIET = ("start-action none", "close-action none", "dpd-action clear")


@pytest.fixture
def g(gateways):
    gateways.svtis()
    gateways.gwb.addr("wan0", f"{OTHER}/24")
    return gateways


def ours(name, local, remote, ids, ts, *ike_policy):
    return site(name, local, remote, *ids, {"net": ts}, ike=GCM_IKE, esp=GCM_ESP, ike_policy=ike_policy, ipsec_policy=QUIET)


def wait_peer(addresses, expected, what):
    wait_until(lambda: addresses() == [expected], f"{what} has one IKE SA, with {expected}", 90, interval=0.5)


def test_interop_redirect_svti_iked_follows_strongswan(g):
    g.gwb.route("192.168.0.0/24", dev="svti100")
    iked = Iked(g.gwa, configuration(ours("site", CLIENT, FIRST, IDS, TS))).start()
    swan = StrongSwan(g.gwb, connection(f"{FIRST}, {OTHER}", CLIENT, *IDS[::-1], *TS[::-1], *SWAN)).start()
    capture = g.capture()
    iked.initiate("site", "net")
    wait_peer(lambda: [sa["remote-address"] for sa in iked.ike_sas()], FIRST, "svti-iked")
    g.clienta.ping_ok("192.168.99.2")
    ping = g.clienta.ping_background("192.168.99.2")
    ping.wait_received(3)
    swan.swanctl("--redirect", "--ike", "site", "--gateway", OTHER)
    wait_peer(lambda: [sa["remote-address"] for sa in iked.ike_sas()], OTHER, "svti-iked")
    wait_tunnel(g.gwa, g.gwb)
    ping.wait_received(5)
    sent, received = ping.finish()
    assert received >= sent - 2, f"{sent - received} of {sent} pings lost"
    g.clientb.ping_ok("192.168.0.2")
    assert len(iked.children()) == 1
    wait_until(lambda: len(swan.unique_ids("net")[0]) == 1, "strongSwan has one IKE SA", 60, interval=0.5)
    capture.assert_only_ike_and_esp(g.INNER)


@pytest.mark.parametrize("where", ["IKE_SA_INIT", "IKE_AUTH", "ikectl", "swanctl"])
def test_interop_redirect_strongswan_follows_svti_iked(g, where):
    g.gwa.route("192.168.99.0/24", dev="svti100")
    mirrored = (IDS[::-1], TS[::-1])
    at_once = (f"redirect-to {OTHER}",) if where.startswith("IKE") else ()
    sites = [ours("first", FIRST, CLIENT, *mirrored, *at_once), ours("other", OTHER, CLIENT, *mirrored)]
    if where == "IKE_AUTH":  # before it is known who it is, it may be another one, which is served
        sites.append(ours("third", FIRST, CLIENT, (IDS[1], "somebody.example"), TS[::-1]))
    iked = Iked(g.gwb, configuration(*sites)).start()
    swan = StrongSwan(g.gwa, connection(CLIENT, FIRST, *IDS, *TS, *SWAN)).start()
    capture = g.capture()
    swan.initiate("net", check=where in ("ikectl", "swanctl"))

    if where == "IKE_AUTH":
        # strongSwan 5.9.8 frees something twice when it begins anew, and is gone: it has taken the redirection by then.
        swan.process.wait_output(f"redirected to {OTHER}")
        assert "parsed IKE_AUTH response 1 [ IDr AUTH N(REDIR) ]" in swan.process.output()
        assert not iked.ike_sas() or iked.ike_sas()[0]["state"] != "established"
        return

    def peers():
        return re.findall(r"^\s+remote .* @ ([0-9.]+)\[", swan.sas(), re.MULTILINE)

    if where in ("ikectl", "swanctl"):
        wait_peer(peers, FIRST, "strongSwan")
        g.clienta.ping_ok("192.168.99.2")
        if where == "ikectl":
            assert "1 redirected to" in iked.ctl("redirect", "first", OTHER).stdout
        else:
            iked.swanctl("--redirect", "--peer-ip", "192.0.2.0/24", "--gateway", OTHER)
    wait_peer(peers, OTHER, "strongSwan")
    swan.wait_child("net")
    wait_until(lambda: [sa["name"] for sa in iked.ike_sas()] == ["other"], "svti-iked has one IKE SA, of the other VPN", 60, interval=0.5)
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_until("192.168.99.2")
    g.clientb.ping_ok("192.168.0.2")
    capture.assert_only_ike_and_esp(g.INNER)

# SPDX-License-Identifier: Apache-2.0
"""Ends that move: svti-iked and strongSwan with MOBIKE, each in both roles, and behind a NAT that forgets its mappings.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
                192.0.2.1, .7                        198.51.100.1, .7
                203.0.113.1 on another link
"""
import re

import pytest

import svti
from iked import GCM_ESP, GCM_IKE, SECRET, Iked, block, configuration, esp_sas, wait_clean, wait_tunnel
from lab import wait_until
from strongswan import StrongSwan, connection
from traffic import Flow


class Ends:
    """Both daemons, with the SA between them set up by `initiator`; the other one knows it by no address."""

    def __init__(self, g, initiator, mobike=True):
        self.g = g
        g.svtis()
        g.gwb.route("192.168.0.0/24", dev="svti100")
        ours = configuration(
            block(
                "vpn site",
                block("ike-policy", block("ike-proposal 1", *GCM_IKE), f"mobike {'true' if mobike else 'false'}"),
                block("ipsec-policy", "start-action none", "close-action none", "dpd-action clear", block("esp-proposal 1", *GCM_ESP)),
                *(("remote-address 198.51.100.1",) if initiator == "svti-iked" else ()),
                "local-id secgwa.example",
                "remote-id secgwb.example",
                block("security-policy net", "local-ts subnet 192.168.0.0/24", "remote-ts subnet 192.168.99.0/24", "svti-id-in 100", "svti-id-out 100"),
            ),
            block("pre-shared-key key", "id secgwb.example", f"secret {SECRET}"),
            options=("install-routes true", "retransmit-timeout 1.0"),
        )
        remote = "%any" if initiator == "svti-iked" else "192.0.2.1"
        theirs = connection(
            "%any", remote, "secgwb.example", "secgwa.example", "192.168.99.0/24", "192.168.0.0/24", "aes128gcm16-prfsha256-curve25519", "aes128gcm16", SECRET
        ).replace("mobike = no", f"mobike = {'yes' if mobike else 'no'}")
        self.iked = Iked(g.gwa, ours).start()
        self.swan = StrongSwan(g.gwb, theirs).start()
        if initiator == "svti-iked":
            self.iked.initiate("site", "net")
        else:
            self.swan.initiate("net")
        wait_tunnel(g.gwa, g.gwb)
        g.clienta.ping_ok("192.168.99.2")
        g.clientb.ping_ok("192.168.0.2")
        self.spis = self.spis_now()
        self.flow = Flow((g.clienta, "192.168.0.2"), (g.clientb, "192.168.99.2"))
        self.flow.wait_arrived(10)

    def spis_now(self):
        return [{sa["spi"] for sa in esp_sas(host)} for host in (self.g.gwa, self.g.gwb)]

    def wait_between(self, at_a, at_b):
        """The SAs of both ends are between these addresses, and traffic goes on; the SPIs are those of the beginning."""
        for host in (self.g.gwa, self.g.gwb):
            wait_until(lambda h=host: {a for sa in esp_sas(h) for a in (sa["src"], sa["dst"])} == {at_a, at_b}, f"the SAs of {host.name} are between {at_a} and {at_b}", 90, interval=0.5)
        self.flow.wait_arrived(20)
        assert self.spis_now() == self.spis
        (sa,) = self.iked.ike_sas()
        assert (sa["local-address"], sa["remote-address"]) == (at_a, at_b)

    def finish(self):
        """The SAs can be rekeyed after all that, and traffic of the last second arrives."""
        self.iked.rekey_child("net")
        wait_until(lambda: not self.spis[0] & self.spis_now()[0], "rekeyed", 60, interval=0.5)
        self.iked.rekey_ike("site")
        self.swan.rekey_child("net")
        self.flow.wait_arrived(20)
        sent, to_a, to_b = self.flow.finish()
        assert max(to_a + to_b, default=0) < sent - 10, f"of {sent} datagrams the last are lost: {to_a[-5:]}, {to_b[-5:]}"


def test_interop_mobike_our_address_changes(gateways):
    g = gateways
    ends = Ends(g, "svti-iked")
    assert ends.iked.ike_sas()[0]["mobike"] is True
    # another address of the same link
    g.gwa.sysctl("net.ipv4.conf.wan0.promote_secondaries", 1)
    g.gwa.ip("addr add 192.0.2.7/24 dev wan0")
    g.gwa.ip("addr del 192.0.2.1/24 dev wan0")
    g.gwa.ip("route replace default via 192.0.2.254")
    ends.wait_between("192.0.2.7", "198.51.100.1")
    # another link
    g.lab.link(g.gwa, "wan1", g.wan, "toa1")
    g.wan.addr("toa1", "203.0.113.254/24")
    g.gwa.addr("wan1", "203.0.113.1/24")
    g.gwa.ip("route replace default via 203.0.113.254 dev wan1", "link set wan0 down")
    ends.wait_between("203.0.113.1", "198.51.100.1")
    ends.finish()
    ends.iked.terminate("site")
    ends.swan.wait_no_sa()
    wait_clean(g.gwa)


def test_interop_mobike_strongswans_address_changes(gateways):
    g = gateways
    ends = Ends(g, "strongswan")
    g.gwb.sysctl("net.ipv4.conf.wan0.promote_secondaries", 1)
    g.gwb.ip("addr add 198.51.100.7/24 dev wan0")
    g.gwb.ip("addr del 198.51.100.1/24 dev wan0")
    g.gwb.ip("route replace default via 198.51.100.254")
    ends.wait_between("192.0.2.1", "198.51.100.7")
    ends.finish()
    ends.swan.terminate("site")
    wait_clean(g.gwa)


def snat(host, source, dev, address, ports):
    """`host` hides `source`, with UDP ports out of `ports`; what it knew of mappings is forgotten."""
    rule = f"ip saddr {source} oifname {dev} ip protocol udp snat to {address}:{ports} random"
    host.run("nft -f -", input=f"table ip nat\ndelete table ip nat\ntable ip nat {{\n chain out {{\n type nat hook postrouting priority srcnat;\n {rule}\n }}\n }}\n")
    svti.request(host, 0x102, 0, bytes(4), 12)  # ctnetlink: delete all


@pytest.mark.parametrize("initiator,mobike", [("svti-iked", True), ("strongswan", True), ("strongswan", False)])
def test_interop_mobike_the_nats_mapping_moves(gateways, initiator, mobike):
    # Who began is behind the NAT, whose next mapping has another port: the other end follows the ESP that comes from it.
    g = gateways
    how = ("192.0.2.1", "tob", "198.51.100.254") if initiator == "svti-iked" else ("198.51.100.1", "toa", "192.0.2.254")
    snat(g.wan, *how, "20000-20999")
    ends = Ends(g, initiator, mobike)
    inside, outside = (g.gwa, g.gwb) if initiator == "svti-iked" else (g.gwb, g.gwa)

    def port():
        """Where the end outside sends to."""
        return {int(m[1]) for sa in esp_sas(outside) if sa["dst"] == how[2] and (m := re.search(r"encap type espinudp sport \d+ dport (\d+)", sa["text"]))}

    assert all(20000 <= p < 21000 for p in port()) and port()
    for first in (30000, 40000):
        snat(g.wan, *how, f"{first}-{first + 999}")
        wait_until(lambda f=first: port() and all(f <= p < f + 1000 for p in port()), "the end outside sends to the new mapping", 90, interval=0.5)
        ends.flow.wait_arrived(20)
        assert ends.spis_now() == ends.spis
    assert esp_sas(inside)
    ends.finish()

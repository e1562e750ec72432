# SPDX-License-Identifier: Apache-2.0
"""svti-iked against strongSwan, each in both roles, each driving an SVTI.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
import re

import pytest

from iked import CBC_ESP, CBC_IKE, GCM_ESP, GCM_IKE, SECRET, Iked, block, configuration, esp_sas, site, wait_clean, wait_tunnel
from lab import wait_until
from strongswan import StrongSwan, connection

# name: our IKE proposal, our ESP proposal, strongSwan's two, and how strongSwan lists what was negotiated
SUITES = {
    "aes-gcm-curve25519": (GCM_IKE, GCM_ESP, "aes128gcm16-prfsha256-curve25519", "aes128gcm16", ("AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519", "AES_GCM_16-128")),
    "aes-cbc-sha256-modp2048": (
        CBC_IKE,
        CBC_ESP,
        "aes128-sha256-modp2048",
        "aes128-sha256",
        ("AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048", "AES_CBC-128/HMAC_SHA2_256_128"),
    ),
}


class Sides:
    """Both daemons, started. `listed`: how strongSwan lists the algorithms of the IKE SA and of the CHILD SA."""

    def __init__(self, g, ike, esp, swan_ike, swan_esp, listed, ipsec_policy=(), swan_settings="", ike_policy=(), options=(), swan_options=""):
        self.g = g
        self.listed = listed
        ours = site(
            "site",
            "192.0.2.1",
            "198.51.100.1",
            "secgwa.example",
            "secgwb.example",
            {"net": ("192.168.0.0/24", "192.168.99.0/24"), "net6": ("fd00:a::/64", "fd00:b::/64")},
            ike=ike,
            esp=esp,
            ike_policy=ike_policy,
            ipsec_policy=("start-action none", "close-action none", "dpd-action clear", *ipsec_policy),
        )
        theirs = connection(
            "198.51.100.1", "192.0.2.1", "secgwb.example", "secgwa.example", "192.168.99.0/24", "192.168.0.0/24", swan_ike, swan_esp, SECRET, options=swan_options
        )
        child = re.search(r"      net \{.*?\}\n", theirs, re.DOTALL)[0]
        theirs = theirs.replace(child, child + child.replace("net {", "net6 {").replace("192.168.99.0/24", "fd00:b::/64").replace("192.168.0.0/24", "fd00:a::/64"))
        self.iked = Iked(g.gwa, configuration(ours, options=("install-routes true", *options))).start()
        self.swan = StrongSwan(g.gwb, theirs, swan_settings).start()

    def initiate(self, who, child="net", count=2):
        """`count`: of the ESP SAs that there are then."""
        if who == "svti-iked":
            self.iked.initiate("site", child)
        else:
            self.swan.initiate(child)
        wait_tunnel(self.g.gwa, self.g.gwb, count=count)
        self.swan.wait_child(child)

    def check(self, capture):
        """What was negotiated is what was asked for, and traffic flows both ways."""
        listed = self.swan.sas()
        for algorithms in self.listed:
            assert re.search(rf"^\s+.*{re.escape(algorithms)}$", listed, re.MULTILINE), f"{algorithms} not in\n{listed}"
        self.g.clienta.ping_ok("192.168.99.2")
        self.g.clientb.ping_ok("192.168.0.2", size=2000)
        capture.assert_only_ike_and_esp(self.g.INNER)


@pytest.fixture
def g(gateways):
    gateways.svtis()
    # Ours installs its routes; strongSwan installs none for a CHILD SA with an if_id.
    gateways.gwb.route("192.168.0.0/24", "fd00:a::/64", dev="svti100")
    return gateways


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("initiator", ["svti-iked", "strongswan"])
def test_interop_iked_with_strongswan(g, initiator, suite):
    sides = Sides(g, *SUITES[suite])
    capture = g.capture()
    sides.initiate(initiator)
    sides.initiate(initiator, "net6", count=4)
    assert len(sides.iked.ike_sas()) == 1
    g.clienta.ping_ok("fd00:b::2")
    sides.check(capture)
    # The initiator ends it; the other is told.
    if initiator == "svti-iked":
        sides.iked.terminate("site")
    else:
        sides.swan.terminate("site")
    wait_clean(g.gwa)
    sides.swan.wait_no_sa()


@pytest.mark.parametrize("initiator", ["svti-iked", "strongswan"])
def test_interop_iked_rekey_from_either_side_and_a_peer_that_dies(g, initiator):
    # 8 s without an answer are the end, at either side
    sides = Sides(
        g,
        *SUITES["aes-gcm-curve25519"],
        ike_policy=("dpd-delay 2s",),
        options=("retransmit-tries 3", "retransmit-timeout 1.0", "retransmit-base 1.5"),
        swan_options="dpd_delay = 2s",
        swan_settings="retransmit_tries = 3\n  retransmit_timeout = 1.0\n  retransmit_base = 1.5",
    )
    capture = g.capture()
    sides.initiate(initiator)
    g.clienta.ping_ok("192.168.99.2")
    ping = g.clienta.ping_background("192.168.99.2")
    ping.wait_received(3)
    for rekeyer in (sides.iked, sides.swan):
        before = sides.swan.unique_ids("net")
        spis = {sa["spi"] for sa in esp_sas(g.gwa)}
        rekeyer.rekey_child("net")
        wait_until(lambda old=spis: not old & {sa["spi"] for sa in esp_sas(g.gwa)}, "the old CHILD SA is gone", 60, interval=0.5)
        rekeyer.rekey_ike("site")
        wait_until(
            lambda old=before: len(now := sides.swan.unique_ids("net")[0]) == 1 and now != old[0],
            "strongSwan has a new IKE SA, and only that",
            60,
            interval=0.5,
        )
        ping.wait_received(5)
        assert sides.swan.unique_ids("net")[1] != before[1]
    sent, received = ping.finish()
    assert received >= sent - 1, f"{sent - received} of {sent} pings lost over four rekeys"
    wait_until(lambda: len(sides.iked.ike_sas()) == len(sides.iked.children()) == 1, "one IKE SA with one CHILD SA", 30)
    assert "dh-group" not in sides.iked.children()[0]
    capture.assert_only_ike_and_esp(g.INNER)
    # who has begun is killed, and the other finds out
    if initiator == "svti-iked":
        sides.iked.kill9()
        sides.swan.wait_no_sa()
    else:
        sides.swan.kill()
        wait_clean(g.gwa)
        assert sides.iked.ike_sas() == []


@pytest.mark.parametrize("initiator", ["svti-iked", "strongswan"])
@pytest.mark.parametrize("suite", SUITES)
def test_interop_iked_fragments(g, suite, initiator):
    # RFC 7383: so many proposals that our requests are larger than a datagram of 1280 octets; strongSwan cuts at 200, which makes fragments of all
    # it says once there are keys.
    ike, esp, swan_ike, swan_esp, listed = SUITES[suite]
    others = [block(f"esp-proposal {i}", "aead-alg aes192-gcm-96", "dh-group modp3072") for i in range(1, 60)]
    proposals = (*others, block("esp-proposal 60", *esp, "dh-group modp2048"))
    sides = Sides(g, ike, esp, swan_ike, f"{swan_esp}-modp2048", listed[:1], proposals, "fragment_size = 200")
    capture = g.capture()
    sides.initiate(initiator)
    for rekeyer in (sides.iked, sides.swan):
        spis = {sa["spi"] for sa in esp_sas(g.gwa)}
        rekeyer.rekey_child("net")
        wait_until(lambda old=spis: not old & {sa["spi"] for sa in esp_sas(g.gwa)}, "the old CHILD SA is gone", 60, interval=0.5)
        wait_until(lambda: [child.get("dh-group") for child in sides.iked.children()] == ["modp2048"], "one CHILD SA, with a key exchange of its own", 60)
    sides.check(capture)
    capture.stop()
    # 53: Encrypted Fragment; 35 and 36: IKE_AUTH and CREATE_CHILD_SA
    fragment = "isakmp.nextpayload == 53 && isakmp.exchangetype =="
    for exchange in (35, 36) if initiator == "svti-iked" else (36,):
        assert capture.packets(f"ip.src == 192.0.2.1 && {fragment} {exchange}"), f"no request of ours in fragments: {exchange}"
    for exchange in (35, 36):
        assert capture.packets(f"ip.src == 198.51.100.1 && {fragment} {exchange}"), f"nothing of strongSwan's in fragments: {exchange}"
    for sender, largest in (("192.0.2.1", 1280), ("198.51.100.1", 200)):
        assert not capture.packets(f"ip.src == {sender} && isakmp.exchangetype >= 35 && ip.len > {largest}")
    assert not capture.packets("ip.flags.mf == 1 && udp.port == 500"), "IP had to fragment IKE"


@pytest.mark.parametrize("initiator", ["svti-iked", "strongswan"])
def test_interop_iked_invalid_ke_retry(g, initiator):
    # The initiator guesses a group that the responder does not prefer: INVALID_KE_PAYLOAD names the right one.
    groups = {"svti-iked": ("dh-group modp2048", "dh-group ecp256"), "strongswan": ("dh-group ecp256",)}[initiator]
    swan_groups = {"svti-iked": "ecp256", "strongswan": "modp2048-ecp256"}[initiator]
    sides = Sides(
        g,
        ("aead-alg aes128-gcm-128", "prf-alg hmac-sha256", *groups),
        GCM_ESP,
        f"aes128gcm16-prfsha256-{swan_groups}",
        "aes128gcm16",
        ("AES_GCM_16-128/PRF_HMAC_SHA2_256/ECP_256", "AES_GCM_16-128"),
    )
    capture = g.capture()
    sides.initiate(initiator)
    sides.check(capture)
    assert "INVAL_KE" in sides.swan.process.output(), "no INVALID_KE_PAYLOAD was exchanged: the test proves nothing"

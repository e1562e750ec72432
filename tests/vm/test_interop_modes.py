# SPDX-License-Identifier: Apache-2.0
"""svti-iked against strongSwan beyond ESP with 32-bit numbers in a tunnel: ESN, AH, transport mode; policies that pass or drop.

    clienta ─── gwa (svti-iked) ═══ wan ═══ gwb (strongSwan) ─── clientb
"""
import pytest

from iked import GCM_ESP, GCM_IKE, SECRET, Iked, block, configuration, wait_clean
from lab import wait_until
from strongswan import StrongSwan, connection
from test_interop_mobike import snat

BOTH = ("svti-iked", "strongswan")  # who begins; in a test of both, the first is rekeyed by either end
OPTIONS = ("start-action none", "close-action none", "dpd-action clear")
SWAN_IKE = "aes128gcm16-prfsha256-curve25519"


def ours(proposals, *policy, svti=True):
    """gwa's configuration: `proposals` for the ipsec-policy, more leaves for its one security-policy."""
    leaves = [*policy]
    if svti:
        leaves += ["local-ts subnet 192.168.0.0/24", "remote-ts subnet 192.168.99.0/24", "svti-id-in 100", "svti-id-out 100"]
    return configuration(
        block(
            "vpn site",
            block("ike-policy", block("ike-proposal 1", *GCM_IKE)),
            block("ipsec-policy", *OPTIONS, *proposals),
            "local-address 192.0.2.1",
            "remote-address 198.51.100.1",
            "local-id secgwa.example",
            "remote-id secgwb.example",
            block("security-policy net", *leaves),
        ),
        block("pre-shared-key key", "id secgwb.example", f"secret {SECRET}"),
    )


def theirs(esp, child_options="", svti=True):
    ts = ("192.168.99.0/24", "192.168.0.0/24") if svti else ("dynamic", "dynamic")
    return connection(
        "198.51.100.1", "192.0.2.1", "secgwb.example", "secgwa.example", *ts, SWAN_IKE, esp, SECRET, svti_id=100 if svti else 0, child_options=child_options
    )


def begin(initiator, iked, swan):
    if initiator == "svti-iked":
        iked.initiate("site", "net")
    else:
        swan.initiate("net")
    swan.wait_child("net")


def end(g, initiator, iked, swan):
    if initiator == "svti-iked":
        iked.terminate("site")
    else:
        swan.terminate("site")
    swan.wait_no_sa()
    wait_clean(g.gwa)


def rekey_from_both(g, iked, swan, protocol, check):
    for rekeyer in (iked, swan):
        spis = {sa["spi"] for sa in g.gwa.sas() if sa["proto"] == protocol}
        rekeyer.rekey_child("net")
        wait_until(lambda old=spis: not old & {sa["spi"] for sa in g.gwa.sas()}, "the old CHILD SA is gone", 60, interval=0.5)
        check()


@pytest.mark.parametrize("protocol,initiators", [("esp-esn", BOTH), ("ah", BOTH[:1]), ("ah-esn", BOTH[1:])], ids=["esp-esn", "ah", "ah-esn"])
def test_interop_modes_tunnel(gateways, protocol, initiators):
    g = gateways
    g.svtis()
    g.gwb.route("192.168.0.0/24", dev="svti100")
    esn = ["esn true"] if protocol.endswith("esn") else []
    if protocol.startswith("esp"):
        texts = ours([block("esp-proposal 1", *GCM_ESP, *esn)]), theirs("aes128gcm16-esn")
    else:
        texts = (
            ours([block("ah-proposal 1", "auth-alg hmac-sha256", *esn)], "action ah"),
            theirs("", f"ah_proposals = sha256{'-esn' if esn else ''}").replace("esp_proposals = \n", ""),
        )
    capture = g.wan.capture("tob", "not arp")
    iked, swan = Iked(g.gwa, texts[0]).start(), StrongSwan(g.gwb, texts[1]).start()
    kind = protocol[:3].strip("-")

    def check():
        g.clienta.ping_ok("192.168.99.2")
        g.clientb.ping_ok("192.168.0.2", size=2000)
        for gateway in (g.gwa, g.gwb):
            sas = [sa for sa in gateway.sas() if sa["spi"]]
            assert sas and all(sa["proto"] == kind for sa in sas)
            assert all(("esn" in sa["text"]) == bool(esn) for sa in sas), [sa["text"] for sa in sas]

    for initiator in initiators:
        begin(initiator, iked, swan)
        check()
        if initiator == initiators[0]:
            rekey_from_both(g, iked, swan, kind, check)
        (child,) = iked.children()
        assert child["protocol"] == kind and bool(child["esn"]) == bool(esn)
        end(g, initiator, iked, swan)
    capture.stop()
    assert capture.packets(f"ip.proto == {50 if kind == 'esp' else 51}")
    inner = "icmp && ip.addr == 192.168.0.2" + ("" if kind == "esp" else " && !ah")
    assert not capture.packets(inner), "a packet left in clear"


@pytest.mark.parametrize("protocol", ["esp", "ah"])
def test_interop_modes_transport(gateways, protocol):
    g = gateways
    if protocol == "esp":
        texts = ours([block("esp-proposal 1", *GCM_ESP)], "mode transport", svti=False), theirs("aes128gcm16", "mode = transport", svti=False)
    else:
        texts = (
            ours([block("ah-proposal 1", "auth-alg hmac-sha256")], "action ah", "mode transport", svti=False),
            theirs("", "mode = transport\nah_proposals = sha256", svti=False).replace("esp_proposals = \n", ""),
        )
    capture = g.wan.capture("tob", "not arp")
    iked, swan = Iked(g.gwa, texts[0]).start(), StrongSwan(g.gwb, texts[1]).start()

    def check():
        g.gwa.ping_ok("198.51.100.1")
        g.gwb.ping_ok("192.0.2.1", size=1000)
        for gateway in (g.gwa, g.gwb):
            sas = [sa for sa in gateway.sas() if sa["spi"]]
            assert sas and all(sa["proto"] == protocol and "mode transport" in sa["text"] for sa in sas)

    for initiator in BOTH:
        begin(initiator, iked, swan)
        check()
        if initiator == BOTH[0]:
            rekey_from_both(g, iked, swan, protocol, check)
        (child,) = iked.children()
        assert child["mode"] == "transport" and child["protocol"] == protocol
        end(g, initiator, iked, swan)
    capture.stop()
    assert capture.packets(f"ip.proto == {50 if protocol == 'esp' else 51}")
    assert not capture.packets("ip.proto == 1"), "a ping left in clear"


@pytest.mark.parametrize("inside", BOTH)
def test_interop_modes_transport_through_a_nat(gateways, inside):
    # RFC 7296 2.23.1: who began is behind the NAT, and each end has the other at the address that it sees.
    g = gateways
    ours_text = ours([block("esp-proposal 1", *GCM_ESP)], "mode transport", svti=False)
    theirs_text = theirs("aes128gcm16", "mode = transport", svti=False)
    if inside == "svti-iked":
        snat(g.wan, "192.0.2.1", "tob", "198.51.100.254", "20000-20999")
        theirs_text = theirs_text.replace("remote_addrs = 192.0.2.1", "remote_addrs = %any")
        seen = {g.gwa: "198.51.100.1", g.gwb: "198.51.100.254"}
    else:
        snat(g.wan, "198.51.100.1", "toa", "192.0.2.254", "20000-20999")
        ours_text = ours_text.replace("remote-address 198.51.100.1\n", "\n")
        seen = {g.gwa: "192.0.2.254", g.gwb: "192.0.2.1"}
    capture = g.wan.capture("tob", "not arp")
    iked, swan = Iked(g.gwa, ours_text).start(), StrongSwan(g.gwb, theirs_text).start()

    def check():
        for gateway, other in seen.items():
            gateway.ping_ok(other, size=1000)
            sas = [sa for sa in gateway.sas() if sa["spi"]]
            assert sas and all("mode transport" in sa["text"] and "espinudp" in sa["text"] for sa in sas)

    begin(inside, iked, swan)
    check()
    rekey_from_both(g, iked, swan, "esp", check)
    end(g, inside, iked, swan)
    capture.stop()
    assert not capture.packets("ip.proto == 1"), "a ping left in clear"


def test_interop_modes_pass_and_drop(gateways):
    # No svti: everything between the sites is to be protected, but for one host that passes and one that is dropped.
    g = gateways
    text = configuration(
        block(
            "vpn site",
            block("ike-policy", block("ike-proposal 1", *GCM_IKE)),
            block("ipsec-policy", *OPTIONS, block("esp-proposal 1", *GCM_ESP)),
            "local-address 192.0.2.1",
            "remote-address 198.51.100.1",
            block("security-policy open", "action pass", "local-ts subnet 192.168.0.0/24", "remote-ts subnet 198.51.100.0/24"),
            block("security-policy never", "action drop", "local-ts subnet 192.168.0.2/32", "remote-ts subnet 198.51.100.254/32"),
        )
    )
    iked = Iked(g.gwa, text).start()
    g.wan.route("192.168.0.0/24", via="192.0.2.1")
    g.gwb.ip("route replace 192.168.0.0/24 via 198.51.100.254")
    g.clienta.ping_ok("198.51.100.1")
    assert g.clienta.ping("198.51.100.254", 2, wait=1.0) == 0
    assert {(p["dir"], p["dst"]) for p in g.gwa.policies() if "action block" in p["text"]} >= {("out", "198.51.100.254/32")}
    iked.stop()
    wait_clean(g.gwa)

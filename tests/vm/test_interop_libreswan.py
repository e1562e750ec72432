# SPDX-License-Identifier: Apache-2.0
"""svti-iked with an SVTI against libreswan 4.10 with plain policies, each in both roles.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (libreswan) ─── clientb

What libreswan sends right after it has answered our rekey of a CHILD SA may come before its answer: it does not wait for us to be ready.
So a few of those datagrams may be lost when we rekey, in this direction alone; none when it does. Its Delete of an AH SA names no SA that is
there: the AH SA that it has rekeyed stays with us for its lifetime.
"""
import re

import pytest

from iked import CBC_ESP, CBC_IKE, GCM_ESP, GCM_IKE, Iked, block, check_messages, configuration, esp_sas, wait_clean, wait_tunnel
from lab import wait_until
from libreswan import Libreswan, conn, pre_shared_key
from traffic import Flow

SECRET = "known to both ends only"
NETS = ("leftsubnet=192.168.99.0/24", "rightsubnet=192.168.0.0/24")
SVTI = ("svti-id-in 100", "svti-id-out 100")
TS = ("local-ts subnet 192.168.0.0/24", "remote-ts subnet 192.168.99.0/24")


def ours(*proposals, policies=None, vpn=("remote-address 198.51.100.1",), ike=GCM_IKE, more=()):
    """gwa's configuration: `proposals` of the ipsec-policy; `policies`: {name: leaves}; `vpn`: more of the vpn, `more`: of the top."""
    policies = policies or {"net": (*TS, *SVTI)}
    return configuration(
        block(
            "vpn site",
            block("ike-policy", block("ike-proposal 1", *ike)),
            block("ipsec-policy", "start-action none", "close-action none", "dpd-action clear", *proposals),
            "local-address 192.0.2.1",
            "local-id secgwa.example",
            "remote-id secgwb.example",
            *vpn,
            *(block(f"security-policy {name}", *leaves) for name, leaves in policies.items()),
        ),
        block("pre-shared-key key", "id secgwb.example", f'secret "{SECRET}"'),
        *more,
        options=("install-routes true", "delete-rekeyed-delay 1"),
    )


def start(g, our_text, *their_conns):
    iked = Iked(g.gwa, our_text).start()
    return iked, Libreswan(g.gwb, "\n".join(their_conns), pre_shared_key(SECRET)).start()


def initiate(iked, pluto, initiator, child="net"):
    if initiator == "svti-iked":
        iked.initiate("site", child)
    else:
        pluto.initiate(child)
    pluto.wait_child(child)


def rekey_children(g, pluto, rekeyer, proto="esp"):
    spis = {sa["spi"] for sa in g.gwa.sas() if sa["proto"] == proto}
    rekeyer.rekey_child("net")
    wait_until(lambda: not spis & {sa["spi"] for sa in g.gwa.sas()}, "the old CHILD SA is gone", 60, interval=0.5)
    pluto.wait_child("net")


def check_loss(flow, our_rekeys):
    """No datagram is lost but those of the peer that overtook its answer to a rekey of ours."""
    sent, to_us, to_them = flow.finish()
    assert not to_them and len(to_us) <= 5 * our_rekeys, f"of {sent} lost: {to_us} and {to_them}"


@pytest.fixture
def g(gateways):
    gateways.gwa.svti("svti100", 100)
    return gateways


@pytest.mark.parametrize("initiator,pfs,esn", [("svti-iked", False, True), ("libreswan", True, False)])
def test_interop_libreswan_rekey_from_either_side_under_traffic(g, initiator, pfs, esn):
    group = ("dh-group curve25519",) if pfs else ()
    iked, pluto = start(
        g,
        ours(block("esp-proposal 1", *GCM_ESP, *group, f"esn {'true' if esn else 'false'}")),
        conn("net", *NETS, f"esn={'yes' if esn else 'no'}", f"pfs={'yes' if pfs else 'no'}", esp="aes_gcm128" + (";curve25519" if pfs else "")),
    )
    capture = g.capture()
    initiate(iked, pluto, initiator)
    g.clienta.ping_ok("192.168.99.2")
    g.clientb.ping_ok("192.168.0.2", size=2000)
    assert all(bool(re.search(r"flag .*\besn\b", sa["text"])) == esn for sa in esp_sas(g.gwa) + esp_sas(g.gwb))
    for rekeyer, ike in ((iked, "site"), (pluto, "net")):
        flow = Flow((g.clienta, "192.168.0.2"), (g.clientb, "192.168.99.2"))
        rekey_children(g, pluto, rekeyer)
        before = pluto.unique_ids("net")[0]
        rekeyer.rekey_ike(ike)
        wait_until(lambda old=before: len(now := pluto.unique_ids("net")[0]) == 1 and now != old, "libreswan has a new IKE SA, and only that", 60, interval=0.5)
        rekey_children(g, pluto, rekeyer)
        flow.wait_arrived(20)
        check_loss(flow, 2 if rekeyer is iked else 0)
    (child,) = iked.children()
    assert len(iked.ike_sas()) == 1 and child.get("dh-group") == ("curve25519" if pfs else None) and bool(child["esn"]) == esn
    capture.assert_only_ike_and_esp(g.INNER)
    # the initiator ends it; the other is told
    if initiator == "svti-iked":
        iked.terminate("site")
    else:
        pluto.terminate("net")
    pluto.wait_no_sa()
    wait_clean(g.gwa)


@pytest.mark.parametrize("protocol,mode,initiator", [("ah", "tunnel", "svti-iked"), ("esp", "transport", "svti-iked")])
def test_interop_libreswan_modes(g, protocol, mode, initiator):
    leaves = {"tunnel": ({"ah": ("action ah",)}.get(protocol, ()) + TS + SVTI), "transport": ("mode transport", *(("action ah",) if protocol == "ah" else ()))}[mode]
    proposal = block("ah-proposal 1", "auth-alg hmac-sha256") if protocol == "ah" else block("esp-proposal 1", *CBC_ESP)
    nets = NETS if mode == "tunnel" else ("type=transport",)
    iked, pluto = start(
        g,
        ours(proposal, policies={"net": leaves}, ike=CBC_IKE),
        conn("net", *nets, f"phase2={protocol}", "esn=no", "pfs=no", ike="aes128-sha2_256;modp2048", esp="sha2_256" if protocol == "ah" else "aes128-sha2_256"),
    )
    capture = g.wan.capture("tob", "not arp")
    initiate(iked, pluto, initiator)
    ends = (g.clienta, "192.168.99.2"), (g.clientb, "192.168.0.2")
    if mode == "transport":
        ends = (g.gwa, "198.51.100.1"), (g.gwb, "192.0.2.1")

    def check():
        for host, target in ends:
            host.ping_ok(target, size=1000)
        for gateway in (g.gwa, g.gwb):
            sas = [sa for sa in gateway.sas() if sa["spi"]]
            assert sas and all(sa["proto"] == protocol and sa["mode"] == mode for sa in sas), [sa["text"] for sa in sas]

    check()
    rekey_children(g, pluto, iked, protocol)
    check()
    if protocol == "esp":
        rekey_children(g, pluto, pluto)
    else:
        pluto.rekey_child("net")
        iked.process.wait_output("the peer deletes a CHILD SA that is not there")
    check()
    child = iked.children()[-1]
    assert child["mode"] == mode and child["protocol"] == protocol
    capture.stop()
    assert capture.packets(f"ip.proto == {50 if protocol == 'esp' else 51}")
    assert not capture.packets("icmp && !ah"), "a packet left in clear"
    check_messages(capture, iked)
    iked.terminate("site")
    pluto.wait_no_sa()
    wait_clean(g.gwa)


def test_interop_libreswan_virtual_addresses(g):
    pool = block("pool vips", "address 192.168.98.0/24")
    vpn = ("remote-address 198.51.100.1",)
    # we are the gateway
    hub = ours(block("esp-proposal 1", *GCM_ESP), policies={"net": (TS[0], *SVTI)}, vpn=(*vpn, "vip-pool vips"), more=(pool,))
    client = conn(
        "net", "leftmodecfgclient=yes", "leftsubnet=0.0.0.0/0", "rightmodecfgserver=yes", "modecfgpull=yes", "narrowing=yes", "rightsubnet=0.0.0.0/0", "pfs=no", "esn=no"
    )
    iked, pluto = start(g, hub, client)
    pluto.initiate("net")
    wait_tunnel(g.gwa, g.gwb)
    assert iked.ike_sas()[0]["remote-vip"] == ["192.168.98.1"]
    g.gwb.ip("addr add 192.168.98.1/32 dev lo")
    g.gwb.ping_ok("192.168.0.2", source="192.168.98.1")
    pluto.stop()
    wait_clean(g.gwa)
    iked.stop()
    # and it is
    iked = Iked(g.gwa, ours(block("esp-proposal 1", *GCM_ESP), policies={"net": (TS[1], *SVTI)}, vpn=(*vpn, "vip-request 0.0.0.0"))).start()
    pluto = Libreswan(
        g.gwb,
        conn(
            "net", "leftsubnet=192.168.99.0/24", "leftmodecfgserver=yes", "rightmodecfgclient=yes", "rightaddresspool=192.168.97.1-192.168.97.9", "narrowing=yes",
            "modecfgpull=yes", "modecfgdns=192.168.99.53", "pfs=no", "esn=no", right="%any",
        ),
        pre_shared_key(SECRET),
    ).start()
    iked.initiate("site", "net")
    wait_tunnel(g.gwa, g.gwb)
    (sa,) = iked.ike_sas()
    assert sa["local-vip"] == ["192.168.97.1"] and sa["dns"] == ["192.168.99.53"]
    g.gwa.ping_ok("192.168.99.2")
    iked.rekey_child("net")
    iked.rekey_ike("site")
    g.gwa.ping_ok("192.168.99.2")

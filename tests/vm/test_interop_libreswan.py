# SPDX-License-Identifier: Apache-2.0
"""svti-iked with an SVTI against libreswan 4.10 with plain policies, each in both roles.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (libreswan) ─── clientb

What libreswan sends right after it has answered our rekey of a CHILD SA may come before its answer: it does not wait for us to be ready.
So a few of those datagrams may be lost when we rekey, in this direction alone; none when it does. Its Delete of an AH SA names no SA that is
there: the AH SA that it has rekeyed stays with us for its lifetime.
"""
import re

import pytest

from iked import CBC_ESP, CBC_IKE, GCM_ESP, GCM_IKE, Iked, block, configuration, esp_sas, wait_clean, wait_tunnel
from lab import wait_until
from libreswan import Libreswan, conn, pre_shared_key
from traffic import Flow

SECRET = "known to both ends only"
NETS = ("leftsubnet=192.168.99.0/24", "rightsubnet=192.168.0.0/24")
SVTI = ("svti-id-in 100", "svti-id-out 100")
TS = ("local-ts subnet 192.168.0.0/24", "remote-ts subnet 192.168.99.0/24")
NAT = "table ip nat {\n chain out {\n type nat hook postrouting priority srcnat;\n %s masquerade\n }\n }\n"


def ours(*proposals, policies=None, vpn=("remote-address 198.51.100.1",), ike=GCM_IKE, ike_policy=(), options=(), more=(), local="192.0.2.1"):
    """gwa's configuration: `proposals` of the ipsec-policy; `policies`: {name: leaves}; `vpn`: more of the vpn, `more`: of the top; `local`: our
    address, None for any."""
    policies = policies or {"net": (*TS, *SVTI)}
    return configuration(
        block(
            "vpn site",
            block("ike-policy", block("ike-proposal 1", *ike), *ike_policy),
            block("ipsec-policy", "start-action none", "close-action none", "dpd-action clear", *proposals),
            *((f"local-address {local}",) if local else ()),
            "local-id secgwa.example",
            "remote-id secgwb.example",
            *vpn,
            *(block(f"security-policy {name}", *leaves) for name, leaves in policies.items()),
        ),
        block("pre-shared-key key", "id secgwb.example", f'secret "{SECRET}"'),
        *more,
        options=("install-routes true", "delete-rekeyed-delay 1", *options),
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


def rekey_children(g, iked, pluto, rekeyer):
    """`rekeyer` rekeys the CHILD SA `net`."""
    spis = {int(child[way], 16) for child in iked.children() if child["name"] == "net" for way in ("spi-in", "spi-out")}
    assert spis
    rekeyer.rekey_child("net")
    wait_until(lambda: not spis & {sa["spi"] for sa in g.gwa.sas()}, "the old CHILD SA is gone", 60, interval=0.5)
    pluto.wait_child("net")


def end(g, iked, pluto, initiator):
    """The initiator ends it, the other is told: what libreswan has begun it would begin again."""
    if initiator == "svti-iked":
        iked.terminate("site")
    else:
        pluto.terminate("net")
    pluto.wait_no_sa()
    wait_clean(g.gwa)


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
        rekey_children(g, iked, pluto, rekeyer)
        before = pluto.unique_ids("net")[0]
        rekeyer.rekey_ike(ike)
        wait_until(lambda old=before: len(now := pluto.unique_ids("net")[0]) == 1 and now != old, "libreswan has a new IKE SA, and only that", 60, interval=0.5)
        rekey_children(g, iked, pluto, rekeyer)
        flow.wait_arrived(20)
        check_loss(flow, 2 if rekeyer is iked else 0)
    (child,) = iked.children()
    assert len(iked.ike_sas()) == 1 and child.get("dh-group") == ("curve25519" if pfs else None) and bool(child["esn"]) == esn
    capture.assert_only_ike_and_esp(g.INNER)
    end(g, iked, pluto, initiator)


@pytest.mark.parametrize("protocol,mode", [("ah", "tunnel"), ("ah", "transport"), ("esp", "transport")])
def test_interop_libreswan_modes(g, protocol, mode):
    ah = ("action ah",) if protocol == "ah" else ()
    leaves = (*ah, *TS, *SVTI) if mode == "tunnel" else ("mode transport", *ah)
    proposal = block("ah-proposal 1", "auth-alg hmac-sha256") if ah else block("esp-proposal 1", *CBC_ESP)
    nets = NETS if mode == "tunnel" else ("type=transport",)
    iked, pluto = start(
        g,
        ours(proposal, policies={"net": leaves}, ike=CBC_IKE),
        conn("net", *nets, f"phase2={protocol}", "esn=no", "pfs=no", ike="aes128-sha2_256;modp2048", esp="sha2_256" if ah else "aes128-sha2_256"),
    )
    capture = g.wan.capture("tob", "not arp")
    ends = (g.clienta, "192.168.99.2"), (g.clientb, "192.168.0.2")
    if mode == "transport":
        ends = (g.gwa, "198.51.100.1"), (g.gwb, "192.0.2.1")

    def check():
        for host, target in ends:
            host.ping_ok(target, size=1000)
        for gateway in (g.gwa, g.gwb):
            sas = [sa for sa in gateway.sas() if sa["spi"]]
            assert sas and all(sa["proto"] == protocol and sa["mode"] == mode for sa in sas), [sa["text"] for sa in sas]

    for initiator in ("svti-iked", "libreswan"):
        initiate(iked, pluto, initiator)
        check()
        rekey_children(g, iked, pluto, iked)
        check()
        if ah:
            # once: how often it was said is not told
            if initiator == "svti-iked":
                pluto.rekey_child("net")
                iked.process.wait_output("the peer deletes a CHILD SA that is not there")
        else:
            rekey_children(g, iked, pluto, pluto)
        check()
        child = iked.children()[-1]
        assert child["mode"] == mode and child["protocol"] == protocol
        end(g, iked, pluto, initiator)
    capture.stop()
    assert capture.packets(f"ip.proto == {51 if ah else 50}")
    assert not capture.packets("icmp && !ah"), "a packet left in clear"


@pytest.mark.parametrize("initiator", ["svti-iked", "libreswan"])
def test_interop_libreswan_several_children_in_fragments(g, initiator):
    # So many proposals of ours that a request does not fit into 1280 octets, and of libreswan's that it is larger than 576, which it cuts.
    others = [block(f"esp-proposal {i}", "aead-alg aes192-gcm-96") for i in range(1, 60)]
    subnets = {"net": "192.168.99.0/24", "two": "10.9.0.0/16"}
    policies = {name: ("local-ts subnet 192.168.0.0/24", f"remote-ts subnet {subnet}", *SVTI) for name, subnet in subnets.items()}
    many = ",".join(f"{cipher}-{auth}" for cipher in ("aes256", "aes192", "aes_ctr256", "aes_ctr192", "camellia256", "3des") for auth in ("sha2_512", "sha2_384", "sha2_256", "sha1"))
    their = [
        conn(name, f"leftsubnet={subnet}", "rightsubnet=192.168.0.0/24", "fragmentation=force", "pfs=no", "esn=no", esp=f"{many},aes_gcm128")
        for name, subnet in subnets.items()
    ]
    iked, pluto = start(g, ours(*others, block("esp-proposal 60", *GCM_ESP), policies=policies), *their)
    g.gwb.ip("addr add 10.9.0.1/16 dev lo")
    capture = g.capture()
    for child in subnets:
        initiate(iked, pluto, initiator, child)
    wait_tunnel(g.gwa, g.gwb, count=4)
    assert len(iked.ike_sas()) == 1
    g.clienta.ping_ok("192.168.99.2")
    g.clienta.ping_ok("10.9.0.1")
    rekey_children(g, iked, pluto, iked)
    rekey_children(g, iked, pluto, pluto)
    wait_tunnel(g.gwa, g.gwb, count=4)
    g.clienta.ping_ok("10.9.0.1")
    capture.assert_only_ike_and_esp((*g.INNER, "10.9.0.0/16"))
    fragment = "isakmp.nextpayload == 53 && isakmp.exchangetype =="
    assert capture.packets(f"ip.src == 192.0.2.1 && {fragment} 36"), "no request of ours in fragments"
    if initiator == "libreswan":  # its rekey offers what was chosen, and is small
        assert capture.packets(f"ip.src == 198.51.100.1 && {fragment} 35"), "nothing of libreswan's in fragments"
    assert not capture.packets("ip.flags.mf == 1 && udp.port == 500"), "IP had to fragment IKE"


@pytest.mark.parametrize("initiator", ["svti-iked", "libreswan"])
def test_interop_libreswan_nat_and_a_peer_that_dies(g, initiator):
    # Who begins is behind a NAT. Then the other end is killed, and liveness finds out.
    behind_nat = {"svti-iked": "ip saddr 192.0.2.1 oifname tob", "libreswan": "ip saddr 198.51.100.1 oifname toa"}[initiator]
    g.wan.run("nft -f -", input=NAT % behind_nat)
    dpd = {"ike_policy": ("dpd-delay 2s",), "options": ("retransmit-tries 3", "retransmit-timeout 1.0", "retransmit-base 1.5")}
    known = initiator == "svti-iked"
    iked, pluto = start(
        g,
        ours(block("esp-proposal 1", *GCM_ESP, f"esn {'false' if known else 'true'}"), vpn=("remote-address 198.51.100.1",) if known else (), **(dpd if known else {})),
        conn("net", *NETS, "pfs=no", f"esn={'no' if known else 'yes'}", "dpddelay=2", "dpdtimeout=6", "dpdaction=clear", right="%any" if known else "192.0.2.1", give_up=10),
    )
    capture = g.wan.capture("tob")
    if known:
        iked.initiate("site", "net")
    else:
        pluto.initiate("net")
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    g.clientb.ping_ok("192.168.0.2")
    flow = Flow((g.clienta, "192.168.0.2"), (g.clientb, "192.168.99.2"))
    for rekeyer in (iked, iked if known else pluto):
        rekey_children(g, iked, pluto, rekeyer)
    iked.rekey_ike("site")
    wait_until(lambda: len(iked.ike_sas()) == 1, "one IKE SA", 60, interval=0.5)
    flow.wait_arrived(10)
    check_loss(flow, 2)
    capture.assert_only_ike_and_esp(g.INNER)
    assert not capture.packets("ip.proto == 50"), "plain ESP behind a NAT"
    assert all(bool(re.search(r"flag .*\besn\b", sa["text"])) != known for sa in esp_sas(g.gwa) + esp_sas(g.gwb))
    assert all(re.search(r"encap type espinudp sport \d+ dport \d+", sa["text"]) for sa in esp_sas(g.gwa) + esp_sas(g.gwb))
    if known:
        pluto.kill()
        wait_clean(g.gwa)
        assert iked.ike_sas() == []
    else:
        iked.kill9()
        # what it has begun it begins again
        wait_until(lambda: pluto.unique_ids("net") == ([], []), "libreswan finds that we are gone", 60, interval=0.5)


def test_interop_libreswan_virtual_addresses_and_mobike(g):
    # With MOBIKE it lets clients move that have a virtual address.
    pool = block("pool vips", "address 192.168.98.0/24")
    # we are the gateway
    hub = ours(block("esp-proposal 1", *GCM_ESP), policies={"net": (TS[0], *SVTI)}, vpn=("vip-pool vips",), more=(pool,))
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
    vpn = ("remote-address 198.51.100.1", "vip-request 0.0.0.0")
    iked = Iked(g.gwa, ours(block("esp-proposal 1", *GCM_ESP), policies={"net": (TS[1], *SVTI)}, vpn=vpn, local=None, ike_policy=("mobike true",))).start()
    pluto = Libreswan(
        g.gwb,
        conn(
            "net", "leftsubnet=192.168.99.0/24", "leftmodecfgserver=yes", "rightmodecfgclient=yes", "rightaddresspool=192.168.97.1-192.168.97.9", "narrowing=yes",
            "modecfgpull=yes", "modecfgdns=192.168.99.53", "pfs=no", "esn=no", "mobike=yes", right="%any",
        ),
        pre_shared_key(SECRET),
    ).start()  # fmt: skip
    iked.initiate("site", "net")
    wait_tunnel(g.gwa, g.gwb)
    (sa,) = iked.ike_sas()
    assert sa["local-vip"] == ["192.168.97.1"] and sa["dns"] == ["192.168.99.53"]
    g.gwa.ping_ok("192.168.99.2")
    spis = {one["spi"] for one in esp_sas(g.gwa)}
    g.gwa.sysctl("net.ipv4.conf.wan0.promote_secondaries", 1)
    g.gwa.ip("addr add 192.0.2.7/24 dev wan0", "addr del 192.0.2.1/24 dev wan0", "route replace default via 192.0.2.254")
    moved = {"192.0.2.7", "198.51.100.1"}
    for host in (g.gwa, g.gwb):
        wait_until(lambda h=host: {a for one in esp_sas(h) for a in (one["src"], one["dst"])} == moved, f"the SAs of {host.name} follow", 60, interval=0.5)
    assert {one["spi"] for one in esp_sas(g.gwa)} == spis
    g.gwa.ping_ok("192.168.99.2")
    iked.rekey_child("net")
    iked.rekey_ike("site")
    g.gwa.ping_ok("192.168.99.2")

# SPDX-License-Identifier: Apache-2.0
"""svti-iked with an SVTI against OpenIKED 7.2 with plain policies, each in both roles.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (OpenIKED) ─── clientb

On Linux, where it has PF_KEY, it offers no AEAD and no ESN for a CHILD SA, and installs no integrity but HMAC-SHA1; its offers of AH have
encryption transforms in them, which no AH may have. With MOBIKE its IKE SA follows us, and its CHILD SAs do not: PF_KEY refuses that. It cannot be
told to rekey: its rekeys come by lifetimes. With dozens of proposals to offer, its rekey of a CHILD SA names an SPI that we do not know: why is not
known, and no test has it. The CHILD SAs of an IKE SA are those of its first request. It has answered a rekey of ours, or deleted the old CHILD SA
after one of its, before the new one is in its kernel: a few datagrams to it may be lost then. What it sends right after its answer may
come before that. It takes more than a minute to find a peer dead, so that only we are seen to.
"""
import pytest

from iked import GCM_IKE, Iked, block, configuration, esp_sas, wait_clean, wait_tunnel
from lab import wait_until
from openiked import OpenIked, policy
from traffic import Flow

SECRET = "known to both ends only"
FLOW = ("192.168.99.0/24", "192.168.0.0/24")
CHILD = "enc aes-128 auth hmac-sha1"
ESP = ("enc-alg aes128-cbc", "auth-alg hmac-sha1")
SVTI = ("svti-id-in 100", "svti-id-out 100")
TS = ("local-ts subnet 192.168.0.0/24", "remote-ts subnet 192.168.99.0/24")
NAT = "table ip nat {\n chain out {\n type nat hook postrouting priority srcnat;\n %s masquerade\n }\n }\n"


def ours(*proposals, leaves=(*TS, *SVTI), vpn=("remote-address 198.51.100.1",), ike_policy=(), options=(), more=()):
    """gwa's configuration: `proposals` of the ipsec-policy, `leaves` of the one security-policy; `vpn`: more of the vpn, `more`: of the top."""
    return configuration(
        block(
            "vpn site",
            block("ike-policy", block("ike-proposal 1", *GCM_IKE), *ike_policy),
            block("ipsec-policy", "start-action none", "close-action none", "dpd-action clear", *(proposals or (block("esp-proposal 1", *ESP),))),
            "local-address 192.0.2.1",
            "local-id secgwa.example",
            "remote-id secgwb.example",
            *vpn,
            block("security-policy net", *leaves),
        ),
        block("pre-shared-key key", "id secgwb.example", f'secret "{SECRET}"'),
        *more,
        options=("install-routes true", "delete-rekeyed-delay 1", *(options or ("retransmit-tries 3", "retransmit-timeout 1.0"))),
    )


def theirs(*flows, **more):
    return "set fragmentation\n" + policy(*(flows or (FLOW,)), child=more.pop("child", CHILD), secret=SECRET, **more)


def begin(iked):
    """OpenIKED answers when it starts, and then drops what it has answered."""
    wait_until(lambda: iked.initiate("site", "net", check=False).returncode == 0, "the IKE SA is up", 90)


def rekeyed(g, before, timeout=60):
    """Waits until none of the CHILD SAs `before` is there and one pair is."""
    wait_until(
        lambda: not before & (now := {sa["spi"] for sa in esp_sas(g.gwa)}) and len(now) == 2, "the old CHILD SA is gone", timeout, interval=0.5
    )


def check_loss(flow, our_rekeys=0, its_rekeys=0):
    """No datagram is lost but those to the peer while it has no new CHILD SA yet, and its own that overtake its answer to a rekey of ours."""
    sent, to_us, to_them = flow.finish()
    assert len(to_us) <= 10 * our_rekeys and len(to_them) <= 5 * (our_rekeys + its_rekeys), f"of {sent} lost: {to_us} and {to_them}"


@pytest.fixture
def g(gateways):
    gateways.gwa.svti("svti100", 100)
    return gateways


# Selectors of two of its flows are in one CHILD SA, when our policy holds them both.
FLOWS = (FLOW, ("10.9.0.0/16", "192.168.0.0/24"))
WIDE = ("local-ts subnet 192.168.0.0/24", "remote-ts subnet 0.0.0.0/0", *SVTI)


def ping_both_flows(g):
    g.clienta.ping_ok("192.168.99.2")
    g.clienta.ping_ok("10.9.0.1")
    g.clientb.ping_ok("192.168.0.2", size=2000)


def test_interop_openiked_begins_and_rekeys_with_pfs(g):
    iked = Iked(g.gwa, ours(block("esp-proposal 1", *ESP, "dh-group curve25519"), leaves=WIDE)).start()
    peer = OpenIked(g.gwb, theirs(*FLOWS, child=f"{CHILD} group curve25519", lifetimes="ikelifetime 20 lifetime 12 bytes 1G")).start()
    g.gwb.ip("addr add 10.9.0.1/16 dev lo")
    capture = g.capture()
    peer.initiate()
    wait_tunnel(g.gwa, g.gwb)
    ping_both_flows(g)
    flow = Flow((g.clienta, "192.168.0.2"), (g.clientb, "192.168.99.2"))
    spis = {sa["spi"] for sa in esp_sas(g.gwa)}
    ike = {sa["unique-id"] for sa in iked.ike_sas()}
    rekeyed(g, spis)
    wait_until(lambda: len(now := {sa["unique-id"] for sa in iked.ike_sas()}) == 1 and now != ike, "a new IKE SA, and only that", 60, interval=0.5)
    flow.wait_arrived(20)
    check_loss(flow, its_rekeys=3)
    ping_both_flows(g)
    assert {child.get("dh-group") for child in iked.children()} == {"curve25519"}
    capture.assert_only_ike_and_esp((*g.INNER, "10.9.0.0/16"))
    peer.terminate()
    wait_until(lambda: not iked.ike_sas(), "the peer deletes it", 60, interval=0.5)


def test_interop_openiked_answers_and_we_rekey_with_pfs(g):
    # So many proposals of ours that a request does not fit into 1280 octets.
    others = [block(f"esp-proposal {i}", "aead-alg aes192-gcm-96", "dh-group curve25519") for i in range(1, 60)]
    iked = Iked(g.gwa, ours(*others, block("esp-proposal 60", *ESP, "dh-group curve25519"), leaves=WIDE)).start()
    peer = OpenIked(g.gwb, theirs(*FLOWS, child=f"{CHILD} group curve25519", mode="passive")).start()
    g.gwb.ip("addr add 10.9.0.1/16 dev lo")
    begin(iked)
    capture = g.capture()  # what it has answered before it has read of fragmentation, and drops, comes in fragments of IP
    wait_tunnel(g.gwa, g.gwb)
    ping_both_flows(g)
    flow = Flow((g.clienta, "192.168.0.2"), (g.clientb, "192.168.99.2"))
    for _ in range(2):
        spis = {sa["spi"] for sa in esp_sas(g.gwa)}
        iked.rekey_child("net")
        rekeyed(g, spis)
        ike = {sa["unique-id"] for sa in iked.ike_sas()}
        iked.rekey_ike("site")
        wait_until(lambda old=ike: len(now := {sa["unique-id"] for sa in iked.ike_sas()}) == 1 and now != old, "a new IKE SA, and only that", 60, interval=0.5)
    flow.wait_arrived(20)
    check_loss(flow, our_rekeys=2)
    ping_both_flows(g)
    (child,) = iked.children()
    assert child["dh-group"] == "curve25519"
    capture.assert_only_ike_and_esp((*g.INNER, "10.9.0.0/16"))
    assert capture.packets("ip.src == 192.0.2.1 && isakmp.nextpayload == 53 && isakmp.exchangetype == 36"), "no request of ours in fragments"
    iked.terminate("site")
    wait_clean(g.gwa)
    wait_until(lambda: not esp_sas(g.gwb), "the peer is told", 60, interval=0.5)


@pytest.mark.parametrize("initiator", ["svti-iked", "openiked"])
def test_interop_openiked_nat_and_a_peer_that_dies(g, initiator):
    # Who begins is behind a NAT. OpenIKED offers so much that its request is sent in fragments. Then it is killed, and liveness finds out.
    known = initiator == "svti-iked"
    g.wan.run("nft -f -", input=NAT % ("ip saddr 192.0.2.1 oifname tob" if known else "ip saddr 198.51.100.1 oifname toa"))
    dpd = {"ike_policy": ("dpd-delay 2s",), "options": ("retransmit-tries 3", "retransmit-timeout 1.0", "retransmit-base 1.5")}
    iked = Iked(g.gwa, ours(vpn=("remote-address 198.51.100.1",) if known else (), **dpd)).start()
    offered = {"peer": "any"} if known else {"child": "enc aes-256 auth hmac-sha2-512 group modp3072 childsa " * 50 + CHILD}
    peer = OpenIked(g.gwb, theirs(mode="passive" if known else "active", **offered)).start()
    capture = g.capture()
    if known:
        begin(iked)
    else:
        peer.initiate()
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    g.clientb.ping_ok("192.168.0.2")
    spis = {sa["spi"] for sa in esp_sas(g.gwa)}
    iked.rekey_child("net")
    rekeyed(g, spis)
    g.clienta.ping_ok("192.168.99.2")
    capture.assert_only_ike_and_esp(g.INNER)
    assert not capture.packets("ip.proto == 50"), "plain ESP behind a NAT"
    assert known or capture.packets("ip.src == 198.51.100.1 && isakmp.nextpayload == 53 && isakmp.exchangetype == 35"), "nothing of OpenIKED's in fragments"
    peer.kill()
    wait_clean(g.gwa)
    assert iked.ike_sas() == []


@pytest.mark.parametrize("initiator", ["svti-iked", "openiked"])
def test_interop_openiked_transport(g, initiator):
    iked = Iked(g.gwa, ours(leaves=("mode transport",))).start()
    mode = "active" if initiator == "openiked" else "passive"
    lifetimes = "lifetime 12" if initiator == "openiked" else ""
    peer = OpenIked(g.gwb, theirs(("198.51.100.1", "192.0.2.1"), mode=mode, encap="transport esp", lifetimes=lifetimes)).start()
    if mode == "active":
        peer.initiate()
    else:
        begin(iked)
    wait_tunnel(g.gwa, g.gwb)

    def check():
        g.gwa.ping_ok("198.51.100.1")
        g.gwb.ping_ok("192.0.2.1", size=1000)
        assert all(sa["mode"] == "transport" for sa in esp_sas(g.gwa) + esp_sas(g.gwb))

    check()
    spis = {sa["spi"] for sa in esp_sas(g.gwa)}
    if initiator == "svti-iked":
        iked.rekey_child("net")
    rekeyed(g, spis)
    check()
    assert {child.get("dh-group") for child in iked.children()} == {None}
    iked.terminate("site")
    wait_clean(g.gwa)


def test_interop_openiked_virtual_addresses(g):
    # it is the gateway
    iked = Iked(g.gwa, ours(leaves=(TS[1], *SVTI), vpn=("remote-address 198.51.100.1", "vip-request 0.0.0.0"))).start()
    hub = theirs(("192.168.99.0/24", "dynamic"), mode="passive", config="config address 192.168.97.0/24 config name-server 192.168.99.53")
    peer = OpenIked(g.gwb, hub).start()
    begin(iked)
    wait_tunnel(g.gwa, g.gwb)
    (sa,) = iked.ike_sas()
    assert sa["local-vip"][0].startswith("192.168.97.") and sa["dns"] == ["192.168.99.53"]
    g.gwa.ping_ok("192.168.99.2")
    iked.rekey_child("net")
    iked.rekey_ike("site")
    g.gwa.ping_ok("192.168.99.2")
    peer.stop()
    iked.stop()
    # it leaves them
    g.gwb.run("ip xfrm state flush")
    g.gwb.run("ip xfrm policy flush")
    # and we are
    pool = block("pool vips", "address 192.168.98.0/24", "dns 192.168.0.53")
    iked = Iked(g.gwa, ours(leaves=(TS[0], *SVTI), vpn=("remote-address 198.51.100.1", "vip-pool vips"), more=(pool,))).start()
    g.gwb.ip("link add vip0 type dummy", "link set vip0 up")
    peer = OpenIked(g.gwb, theirs(("dynamic", "192.168.0.0/24"), config="request address any iface vip0")).start()
    peer.initiate()
    wait_tunnel(g.gwa, g.gwb)
    assert iked.ike_sas()[0]["remote-vip"] == ["192.168.98.1"]
    wait_until(lambda: "192.168.98.1" in g.gwb.run("ip -o addr show dev vip0").stdout, "the address on vip0", 30, interval=0.5)
    g.gwb.ping_ok("192.168.0.2", source="192.168.98.1")

# SPDX-License-Identifier: Apache-2.0
"""svti-iked with an SVTI against OpenIKED 7.2 with plain policies, each in both roles.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (OpenIKED) ─── clientb

On Linux, where it has PF_KEY, it offers no AEAD and no ESN for a CHILD SA, and installs no integrity but HMAC-SHA1; its offers of AH have
encryption transforms in them, which no AH may have. It cannot be told to rekey: its rekeys come by lifetimes. The CHILD SAs of an IKE SA are those
of its first request. It takes more than a minute to find a peer dead, so that only we are seen to.
"""
import pytest

from iked import GCM_IKE, Iked, block, check_messages, configuration, esp_sas, wait_clean, wait_tunnel
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


def ours(*proposals, leaves=(*TS, *SVTI), vpn=("remote-address 198.51.100.1",), ike_policy=(), options=()):
    """gwa's configuration: `proposals` of the ipsec-policy, `leaves` of the one security-policy; `vpn`: more of the vpn."""
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


@pytest.fixture
def g(gateways):
    gateways.gwa.svti("svti100", 100)
    return gateways


def test_interop_openiked_begins_and_rekeys(g):
    iked = Iked(g.gwa, ours()).start()
    peer = OpenIked(g.gwb, theirs(lifetimes="ikelifetime 20 lifetime 12 bytes 1G")).start()
    capture = g.capture()
    peer.initiate()
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    g.clientb.ping_ok("192.168.0.2", size=2000)
    flow = Flow((g.clienta, "192.168.0.2"), (g.clientb, "192.168.99.2"))
    spis = {sa["spi"] for sa in esp_sas(g.gwa)}
    ike = {sa["unique-id"] for sa in iked.ike_sas()}
    rekeyed(g, spis)
    wait_until(lambda: len(now := {sa["unique-id"] for sa in iked.ike_sas()}) == 1 and now != ike, "a new IKE SA, and only that", 60, interval=0.5)
    flow.wait_arrived(20)
    flow.finish_without_loss()
    capture.assert_only_ike_and_esp(g.INNER)
    check_messages(capture, iked)
    peer.terminate()
    wait_until(lambda: not iked.ike_sas(), "the peer deletes it", 60, interval=0.5)


@pytest.mark.parametrize("initiator", ["svti-iked", "openiked"])
def test_interop_openiked_nat_and_a_peer_that_dies(g, initiator):
    # Who begins is behind a NAT. Then OpenIKED is killed, and liveness finds out.
    known = initiator == "svti-iked"
    g.wan.run("nft -f -", input=NAT % ("ip saddr 192.0.2.1 oifname tob" if known else "ip saddr 198.51.100.1 oifname toa"))
    dpd = {"ike_policy": ("dpd-delay 2s",), "options": ("retransmit-tries 2", "retransmit-timeout 1.0", "retransmit-base 1.0")}
    iked = Iked(g.gwa, ours(vpn=("remote-address 198.51.100.1",) if known else (), **dpd)).start()
    peer = OpenIked(g.gwb, theirs(mode="passive" if known else "active", **({"peer": "any"} if known else {}))).start()
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
    peer.kill()
    wait_clean(g.gwa)
    assert iked.ike_sas() == []


@pytest.mark.parametrize("initiator", ["svti-iked", "openiked"])
def test_interop_openiked_transport(g, initiator):
    iked = Iked(g.gwa, ours(leaves=("mode transport",))).start()
    mode = "active" if initiator == "openiked" else "passive"
    peer = OpenIked(g.gwb, theirs(("198.51.100.1", "192.0.2.1"), mode=mode, encap="transport esp")).start()
    if mode == "active":
        peer.initiate()
    else:
        begin(iked)
    wait_tunnel(g.gwa, g.gwb)
    g.gwa.ping_ok("198.51.100.1")
    g.gwb.ping_ok("192.0.2.1", size=1000)
    assert all(sa["mode"] == "transport" for sa in esp_sas(g.gwa) + esp_sas(g.gwb))
    iked.terminate("site")
    wait_clean(g.gwa)

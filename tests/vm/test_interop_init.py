# SPDX-License-Identifier: Apache-2.0
"""svti-iked against strongSwan and libreswan: IKE SAs that begin without a CHILD SA (RFC 6023), postquantum preshared keys (RFC 8784),
IKE_INTERMEDIATE (RFC 9242).

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan with svti100, or libreswan) ─── clientb
"""
import pytest

from iked import GCM_ESP, GCM_IKE, SECRET, Iked, block, configuration, wait_clean
from lab import wait_until
from libreswan import Libreswan, conn, pre_shared_key
from strongswan import StrongSwan, connection

OPTIONS = ("start-action none", "close-action none", "dpd-action clear")
SWAN_IKE = "aes128gcm16-prfsha256-curve25519"
PLAIN_SECRET = "known to both ends only"  # libreswan takes what is in quotes as it is
PPK_ID, PPK = "quantum.example", "mYq1kq7c0JxOcp2UhUcw0O2sVwkX1n4n"


def ours(*ike_policy, ppk=None, esp=GCM_ESP, secret=SECRET):
    entries = [block("pre-shared-key key", "id secgwb.example", f'secret "{secret}"' if " " in secret else f"secret {secret}")]
    if ppk:
        entries.append(block("ppk q", f"id {ppk}", f"secret {PPK}"))
    return configuration(
        *entries,
        block(
            "vpn site",
            block("ike-policy", *ike_policy, block("ike-proposal 1", *GCM_IKE)),
            block("ipsec-policy", *OPTIONS, block("esp-proposal 1", *esp)),
            "local-address 192.0.2.1",
            "remote-address 198.51.100.1",
            "local-id secgwa.example",
            "remote-id secgwb.example",
            block("security-policy net", "local-ts subnet 192.168.0.0/24", "remote-ts subnet 192.168.99.0/24", "svti-id-in 100", "svti-id-out 100"),
        ),
    )


def theirs(options="", ppk=None, esp="aes128gcm16"):
    text = connection(
        "198.51.100.1", "192.0.2.1", "secgwb.example", "secgwa.example", "192.168.99.0/24", "192.168.0.0/24", SWAN_IKE, esp, SECRET, options=options
    )
    return text + (f'secrets {{\n  ppk-q {{\n    id = {ppk}\n    secret = "{PPK}"\n  }}\n}}\n' if ppk else "")


def start(g, our_text, their_text):
    g.svtis()
    g.route_through_svtis()
    return Iked(g.gwa, our_text).start(), StrongSwan(g.gwb, their_text).start()


def bring_up(initiator, iked, swan):
    if initiator == "svti-iked":
        iked.initiate("site", "net")
    else:
        swan.initiate("net")
    return swan.wait_child("net")


def check_and_rekey(g, iked, swan):
    """Traffic passes, before and after each end has rekeyed the CHILD SA and the IKE SA."""
    g.clienta.ping_ok("192.168.99.2")
    for rekeyer, ike in ((iked, "site"), (swan, "site")):
        before = swan.unique_ids("net")
        rekeyer.rekey_ike(ike)
        wait_until(lambda old=before: len(swan.unique_ids("net")[0]) == 1 and swan.unique_ids("net")[0] != old[0], "the IKE SA is rekeyed", 60, interval=0.5)
        rekeyer.rekey_child("net")
        wait_until(lambda old=before: len(swan.unique_ids("net")[1]) == 1 and swan.unique_ids("net")[1] != old[1], "the CHILD SA is rekeyed", 60, interval=0.5)
        g.clienta.ping_ok("192.168.99.2")
        g.clientb.ping_ok("192.168.0.2", size=2000)


def end(g, iked, swan):
    iked.terminate("site")
    swan.wait_no_sa()
    wait_clean(g.gwa)


@pytest.mark.parametrize("initiator", ["svti-iked", "strongswan"])
def test_interop_init_childless(gateways, initiator):
    g = gateways
    pfs = ("aead-alg aes128-gcm-128", "dh-group ecp256")
    iked, swan = start(g, ours("childless force", esp=pfs), theirs("childless = force", esp="aes128gcm16-ecp256"))
    capture = g.wan.capture("tob", "udp port 500 or udp port 4500")
    bring_up(initiator, iked, swan)
    capture.stop()
    # exchange type 36: the first CHILD SA has an exchange, and a key exchange, of its own
    assert capture.packets("isakmp.exchangetype == 36"), "no CREATE_CHILD_SA"
    assert "ECP_256" in swan.sas()
    check_and_rekey(g, iked, swan)
    end(g, iked, swan)


@pytest.mark.parametrize("required", [False, True], ids=["optional", "required"])
@pytest.mark.parametrize("initiator", ["svti-iked", "strongswan"])
def test_interop_init_ppk(gateways, initiator, required):
    g = gateways
    leaves = (f"ppk-id {PPK_ID}", "ppk-required true") if required else (f"ppk-id {PPK_ID}",)
    options = f"ppk_id = {PPK_ID}\n    ppk_required = {'yes' if required else 'no'}"
    iked, swan = start(g, ours(*leaves, ppk=PPK_ID), theirs(options, ppk=PPK_ID))
    text = bring_up(initiator, iked, swan)
    assert "PPK" in text, text
    check_and_rekey(g, iked, swan)
    assert "PPK" in swan.sas()
    end(g, iked, swan)


@pytest.mark.parametrize("who_has_it", ["svti-iked", "strongswan"])
@pytest.mark.parametrize("initiator", ["svti-iked", "strongswan"])
def test_interop_init_ppk_at_one_end_alone(gateways, initiator, who_has_it):
    g = gateways
    we_have = who_has_it == "svti-iked"
    # the other end knows PPKs, and not this one: NO_PPK_AUTH counts
    our_leaves = (f"ppk-id {PPK_ID}",) if we_have else ()
    options = "" if we_have else f"ppk_id = {PPK_ID}"
    iked, swan = start(g, ours(*our_leaves, ppk=PPK_ID if we_have else "other.example"), theirs(options, ppk="other.example" if we_have else PPK_ID))
    text = bring_up(initiator, iked, swan)
    assert "PPK" not in text, text
    check_and_rekey(g, iked, swan)
    end(g, iked, swan)


def test_interop_init_ppk_required_and_missing_is_explained(gateways):
    g = gateways
    iked, swan = start(g, ours("ppk-required true", ppk="other.example"), theirs(f"ppk_id = {PPK_ID}", ppk=PPK_ID))
    assert swan.initiate("net", check=False).returncode != 0
    told = wait_until(lambda: (lambda text: text if PPK_ID in text else None)(iked.ctl("explain", "site", check=False).stdout), "ikectl explain names the PPK", 30)
    assert "ppk" in told and "other.example" in told
    swan.wait_no_sa()


def start_with_libreswan(g, our_text, *lines, secrets=""):
    g.gwa.svti("svti100", 100)
    g.gwa.route("192.168.99.0/24", dev="svti100")
    iked = Iked(g.gwa, our_text).start()
    text = conn("net", "leftsubnet=192.168.99.0/24", "rightsubnet=192.168.0.0/24", "esn=no", "pfs=no", *lines)
    return iked, Libreswan(g.gwb, text, pre_shared_key(PLAIN_SECRET) + secrets).start()


# libreswan has nothing to carry in it, and sends it all the same: AUTH is then over it at both ends
def test_interop_init_libreswan_intermediate(gateways):
    g = gateways
    iked, pluto = start_with_libreswan(g, ours(secret=PLAIN_SECRET), "intermediate=yes")
    capture = g.wan.capture("tob", "udp port 500 or udp port 4500")
    pluto.initiate("net")
    pluto.wait_child("net")
    g.clienta.ping_ok("192.168.99.2")
    capture.stop()
    assert capture.packets("isakmp.exchangetype == 43"), "no IKE_INTERMEDIATE"
    pluto.terminate("net")  # what it has begun it would begin again
    pluto.wait_no_sa()
    wait_clean(g.gwa)


@pytest.mark.parametrize("theirs_insist", ["insist", "yes"])
@pytest.mark.parametrize("initiator", ["svti-iked", "libreswan"])
def test_interop_init_libreswan_ppk(gateways, initiator, theirs_insist):
    g = gateways
    ids = "@secgwb.example @secgwa.example"
    iked, pluto = start_with_libreswan(
        g,
        ours(f"ppk-id {PPK_ID}", "ppk-required true", ppk=PPK_ID, secret=PLAIN_SECRET),
        f"ppk={theirs_insist}",
        secrets=f'{ids} : PPKS "{PPK_ID}" "{PPK}"\n',
    )
    if initiator == "svti-iked":
        iked.initiate("site", "net")
    else:
        pluto.initiate("net")
    pluto.wait_child("net")
    g.clienta.ping_ok("192.168.99.2")
    assert [sa["ppk"] for sa in iked.ike_sas()] == [True]
    before = pluto.unique_ids("net")
    for rekey in (lambda: iked.rekey_ike("site"), lambda: iked.rekey_child("net")):
        rekey()
        wait_until(lambda: pluto.unique_ids("net") != before and pluto.unique_ids("net")[1], "rekeyed", 60, interval=0.5)
        g.clienta.ping_ok("192.168.99.2")
        before = pluto.unique_ids("net")
    if initiator == "svti-iked":
        iked.terminate("site")
    else:
        pluto.terminate("net")
    pluto.wait_no_sa()
    wait_clean(g.gwa)

# SPDX-License-Identifier: Apache-2.0
"""Authentication with certificates that `ikectl pki` made, against libreswan and OpenIKED in both roles, through an SVTI.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (the peer, plain policies) ─── clientb

Neither is here a user of EAP: libreswan 4.10 knows EAP-TLS alone, and OpenIKED EAP-MSCHAPv2 as the gateway alone.
"""
import re

import pytest

from auth import OUR_CERTIFICATE, Pki, explained, our_vpn, pem_configuration
from iked import Iked, block, esp_sas, wait_clean, wait_tunnel
from lab import wait_until
from libreswan import Libreswan, conn
from openiked import OpenIked, policy

IDS = ("gwb.example", "gwa.example")
ID_LEAVES = ("local-id gwa.example", "remote-id gwb.example")
FLOW = ("192.168.99.0/24", "192.168.0.0/24")


@pytest.fixture
def g(gateways):
    gateways.gwa.svti("svti100", 100)
    return gateways


def methods_of_peer(iked):
    """How the peer has signed, each time it did."""
    return re.findall(r"the peer signs as gwb\.example with certificate \"[^\"]*\", (.*)$", iked.process.output(), re.MULTILINE)


# kind of key; libreswan's authby; the name that we give to how it signs
LIBRESWAN = {
    "rsa-2048": ("rsa-sha2", "RSASSA-PSS with SHA-"),
    "rsa-2048-method-1": ("rsa-sha1", "method 1"),
    "ecdsa-p256": ("ecdsa", "ECDSA with SHA-"),
}


@pytest.mark.parametrize("kind", LIBRESWAN)
def test_auth_libreswan(g, kind):
    authby, theirs = LIBRESWAN[kind]
    pki = Pki(g.gwa.dir / "pki", kind.removesuffix("-method-1"))
    iked = Iked(g.gwa, pem_configuration(pki.text, our_vpn(leaves=ID_LEAVES))).start()
    nets = ("leftsubnet=192.168.99.0/24", "rightsubnet=192.168.0.0/24", "leftcert=gwb", "leftsendcert=always", "rightca=%same", "esn=no", "pfs=no")
    pluto = Libreswan(g.gwb, conn("net", *nets, ids=IDS, authby=authby), "")
    pluto.import_certificate("gwb", pki.dir)
    pluto.start()
    capture = g.capture()
    for initiator in ("ours", "theirs"):
        if initiator == "ours":
            iked.initiate("site", "net")
        else:
            pluto.initiate("net")
        pluto.wait_child("net")
        wait_tunnel(g.gwa, g.gwb)
        g.clienta.ping_ok("192.168.99.2")
        g.clientb.ping_ok("192.168.0.2")
        if initiator == "ours":
            iked.terminate("site")
        else:
            pluto.terminate("net")
        pluto.wait_no_sa()
        wait_clean(g.gwa)
    capture.assert_only_ike_and_esp(g.INNER)
    signed = methods_of_peer(iked)
    assert len(signed) == 2 and all(theirs in one for one in signed), iked.process.output()[-3000:]


def test_auth_libreswan_revoked_and_of_another_authority(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    pki.run("crl", "gwb.pem", "--ca", "ca.pem", "--ca-key", "ca.key", "--out", "ca.crl")
    iked = Iked(g.gwa, pem_configuration(pki.config("gwa", "--crl", "ca.crl"), our_vpn(leaves=ID_LEAVES))).start()
    nets = ("leftsubnet=192.168.99.0/24", "rightsubnet=192.168.0.0/24", "leftcert=gwb", "leftsendcert=always", "esn=no", "pfs=no")
    pluto = Libreswan(g.gwb, conn("net", *nets, ids=IDS, authby="ecdsa", give_up=5), "")
    pluto.import_certificate("gwb", pki.dir)
    pluto.start()
    assert iked.initiate("site", "net", check=False).returncode != 0
    assert "was revoked on" in explained(iked), explained(iked)
    wait_clean(g.gwa)
    # libreswan does not trust who issued ours, and says so
    other = Pki(g.gwa.dir / "other", "ecdsa-p256")
    authority = pki.text[: pki.text.index("certificate gwa\n")]
    mine = other.text[other.text.index("certificate gwa\n") :]
    iked.load(pem_configuration(authority, mine, our_vpn(leaves=ID_LEAVES)))
    assert iked.initiate("site", "net", check=False).returncode != 0
    assert "AUTHENTICATION_FAILED" in explained(iked), explained(iked)
    wait_clean(g.gwa)


def iked_files(pki):
    return {"ca/ca.crt": pki.dir / "ca.pem", "certs/gwb.crt": pki.dir / "gwb.pem", "private/local.key": pki.dir / "gwb.key"}


# OpenIKED's PF_KEY offers no AEAD for ESP
CHILD, ESP = "enc aes-128 auth hmac-sha1", ("enc-alg aes128-cbc", "auth-alg hmac-sha1")
# It signs by RFC 7427 whatever `ikeauth` says, since we announce hashes, and then with SHA-256 whatever the curve.
OPENIKED = {"rsa-2048": ("rfc7427", "RSASSA-"), "ecdsa-p384": ("ecdsa384", "ECDSA with SHA-256")}
IMPATIENT = "global-options retransmit-tries 3\nglobal-options retransmit-timeout 1.0"


def begin(iked):
    """OpenIKED answers when it starts, and then drops what it has answered."""
    wait_until(lambda: iked.initiate("site", "net", check=False).returncode == 0, "the IKE SA is up", 90)


@pytest.mark.parametrize("kind", OPENIKED)
def test_auth_openiked(g, kind):
    auth, theirs = OPENIKED[kind]
    pki = Pki(g.gwa.dir / "pki", kind)
    iked = Iked(g.gwa, pem_configuration(IMPATIENT, pki.text, our_vpn(leaves=ID_LEAVES, esp=ESP))).start()
    peer = OpenIked(g.gwb, policy(FLOW, ids=IDS, child=CHILD, auth=auth), iked_files(pki)).start()
    for begins in (peer.initiate, lambda: begin(iked)):
        begins()
        wait_tunnel(g.gwa, g.gwb)
        g.clienta.ping_ok("192.168.99.2")
        g.clientb.ping_ok("192.168.0.2")
        peer.ikectl("passive")
        iked.terminate("site")
        wait_clean(g.gwa)
        wait_until(lambda: not esp_sas(g.gwb), "the peer is told", 60, interval=0.5)
    signed = methods_of_peer(iked)
    assert len(signed) >= 2 and all(theirs in one for one in signed), iked.process.output()[-3000:]


def test_auth_openiked_is_the_gateway_of_an_eap_user(g):
    pki = Pki(g.gwa.dir / "pki", "rsa-2048")
    key = block("eap-key joe", "id joe@example.com", 'secret "known to both"')
    leaves = ("local-id joe@example.com", "local-eap-id joe@example.com", "remote-id gwb.example")
    vpn = our_vpn(("local-auth-method eap-mschapv2", "remote-auth-method certificate"), leaves, ESP, OUR_CERTIFICATE[1:])
    iked = Iked(g.gwa, pem_configuration(IMPATIENT, pki.text, key, vpn)).start()
    users = 'user "joe@example.com" "known to both"\n'
    peer = OpenIked(g.gwb, users + policy(FLOW, ids=(IDS[0], "joe@example.com"), child=CHILD, auth='eap "mschap-v2"', mode="passive"), iked_files(pki)).start()
    begin(iked)
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    iked.terminate("site")
    wait_clean(g.gwa)
    peer.stop()

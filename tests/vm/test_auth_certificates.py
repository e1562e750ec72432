# SPDX-License-Identifier: Apache-2.0
"""Authentication with certificates that `ikectl pki` made, against strongSwan in both roles, through an SVTI.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
import re

import pytest

from auth import GWA, GWB, Pki, Swanctl, explained, methods, our_vpn, pem_configuration, their_connection, up_and_down
from iked import Iked, block, wait_tunnel
from lab import wait_until
from strongswan import StrongSwan

# kind of key; strongSwan's settings; what it says of our AUTH, and the name we give to its
KINDS = {
    "rsa-2048": ("", "RSA_EMSA_PSS_SHA2_256_SALT_32", "RSASSA-PKCS1-v1_5 with SHA-256"),
    "rsa-2048-pss": ("rsa_pss = yes", "RSA_EMSA_PSS_SHA2_256_SALT_32", "RSASSA-PSS with SHA-256"),
    "rsa-2048-method-1": ("signature_authentication = no", "RSA signature", "method 1"),
    "ecdsa-p256": ("", "ECDSA_WITH_SHA256_DER", "ECDSA with SHA-256"),
    "ecdsa-p384": ("", "ECDSA_WITH_SHA384_DER", "ECDSA with SHA-384"),
    "ed25519": ("", "ED25519", "Ed25519"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_auth_every_kind_of_key_both_roles(g, kind):
    settings, of_ours, of_theirs = KINDS[kind]
    pki = Pki(g.gwa.dir / "pki", re.sub("-(pss|method-.*)$", "", kind))
    iked = Iked(g.gwa, pem_configuration(pki.text, our_vpn())).start()
    theirs = their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', f'auth = pubkey\n id = "{GWA}"')
    swan = StrongSwan(g.gwb, theirs, settings, files=pki.swan_files()).start()
    capture = g.capture()
    for initiator in ("ours", "theirs"):
        up_and_down(g, iked, swan, initiator)
    capture.assert_only_ike_and_esp(g.INNER)
    log = swan.process.output()
    assert len(re.findall(rf"authentication of '{GWA}' with {of_ours} successful", log)) == 2, log[-3000:]
    assert len(re.findall(rf"the peer signs as {GWB} with certificate \"{GWB}\", {re.escape(of_theirs)}$", iked.process.output(), re.MULTILINE)) == 2


def test_auth_identities_methods_of_each_end_and_whom_we_are_asked_for(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    psk = block("pre-shared-key k", "id gwb.example", "secret 0seaJ31RfzHNRvUSH0oUYg7znTW0I=")
    iked = Iked(g.gwa, pem_configuration(pki.text, our_vpn(leaves=("remote-id gwb.example",)))).start()
    # subjectAltNames; strongSwan asks for gwa.example (IDr), which we are without a local-id
    theirs = their_connection("auth = pubkey\n certs = gwb.pem\n id = gwb.example", "auth = pubkey\n id = gwa.example")
    swan = StrongSwan(g.gwb, theirs, files=pki.swan_files()).start()
    swan.initiate("net")
    wait_tunnel(g.gwa, g.gwb)
    assert "'gwa.example'" in swan.sas(), swan.sas()
    g.clienta.ping_ok("192.168.99.2")
    iked.terminate("site")
    swan.wait_no_sa()
    # we with a certificate, strongSwan with a pre-shared key
    mixed = our_vpn(("local-auth-method certificate",), ("local-id gwa.example", "remote-id gwb.example"))
    iked.load(pem_configuration(pki.text, psk, mixed))
    swan.config.write_text(
        their_connection(
            "auth = psk\n id = gwb.example",
            "auth = pubkey\n id = gwa.example",
            secrets="secrets {\n ike-site {\n  id-1 = gwa.example\n  secret = 0seaJ31RfzHNRvUSH0oUYg7znTW0I=\n }\n}\n",
        )
    )
    swan.swanctl("--load-all", "--file", str(swan.config))
    up_and_down(g, iked, swan, "ours")
    # a distinguished name with a wildcard that does not fit is refused, and says so
    iked.load(pem_configuration(pki.text, our_vpn(leaves=('remote-id "C=CH, O=Elsewhere, CN=*"',))))
    swan.config.write_text(their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', "auth = pubkey"))
    swan.swanctl("--load-all", "--file", str(swan.config))
    assert iked.initiate("site", "net", check=False).returncode != 0
    assert "remote-id" in explained(iked), explained(iked)


def test_auth_refuses_and_says_why(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    theirs = their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', f'auth = pubkey\n id = "{GWA}"')
    iked = Iked(g.gwa, pem_configuration(pki.text, our_vpn())).start()
    swan = StrongSwan(g.gwb, theirs, files=pki.swan_files()).start()

    def refused(*words):
        assert swan.initiate("net", check=False).returncode != 0
        why = wait_until(lambda: (text := explained(iked)) and all(word in text for word in words) and text, f"an explanation with {words}; there is\n{explained(iked)}", 20)
        assert not g.gwa.sas(), why

    # revoked, by a list in the configuration
    pki.run("crl", "gwb.pem", "--ca", "ca.pem", "--ca-key", "ca.key", "--out", "ca.crl")
    iked.load(pem_configuration(pki.config("gwa", "--crl", "ca.crl"), our_vpn()))
    refused("was revoked on")
    # no list, and one is asked for
    iked.load(pem_configuration(pki.text, our_vpn((*methods("certificate", "certificate"), "revocation strict"))))
    refused("there is no revocation list of")
    # another authority of the same name, trusted in place of the one that issued the peer's
    other = Pki(g.gwa.dir / "other", "ecdsa-p256")
    own = pki.text[pki.text.index("certificate gwa\n") :]
    iked.load(pem_configuration(other.text[: other.text.index("certificate gwa\n")], own, our_vpn()))
    refused("Example CA", "certificate")


def test_auth_swanctl_drives_certificates(g):
    # swanctl --load-all on both ends, ours from swanctl.conf alone
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    iked = Iked(g.gwa, pem_configuration()).start()
    swanctl = Swanctl(g, iked, pki)
    theirs = their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', f'auth = pubkey\n id = "{GWA}"')
    swan = StrongSwan(g.gwb, theirs, files=pki.swan_files()).start()
    swanctl.load("auth = pubkey\n certs = gwa.pem", f'auth = pubkey\n id = "{GWB}"\n cacerts = ca.pem')
    certs = swanctl("--list-certs")
    assert certs.count("has private key") == 1, certs
    assert "initiate completed successfully" in swanctl("--initiate", "--child", "net", "--timeout", "60")
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    assert re.search(rf"local +'{GWA}'", swanctl("--list-sas"))
    swanctl("--terminate", "--ike", "site")
    swan.wait_no_sa()


def test_auth_signer_dies_and_is_started_again(g):
    pki = Pki(g.gwa.dir / "pki", "ed25519")
    iked = Iked(g.gwa, pem_configuration(pki.text, our_vpn())).start()
    theirs = their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', f'auth = pubkey\n id = "{GWA}"')
    swan = StrongSwan(g.gwb, theirs, files=pki.swan_files()).start()
    up_and_down(g, iked, swan, "ours")

    def signer():
        found = g.gwa.run(["pgrep", "-P", str(iked.process.popen.pid), "-f", "svti-iked --signer"], check=False).stdout.split()
        return found[0] if found else None

    first = wait_until(signer, "the signer's process")
    status = g.gwa.run(["cat", f"/proc/{first}/status"]).stdout
    assert re.search(r"^Uid:\t65534", status, re.MULTILINE) and re.search(r"^Seccomp:\t2", status, re.MULTILINE), status
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE), status
    g.gwa.run(["kill", "-9", first])
    wait_until(lambda: signer() not in (None, first), "another signer", 10)
    assert "the signer has ended (signal 9" in iked.process.output()
    up_and_down(g, iked, swan, "theirs")
    iked.stop()

# SPDX-License-Identifier: Apache-2.0
"""EAP-TLS against strongSwan in both roles, through an SVTI: the end that begins is the user, the other one the gateway. Certificates that
`ikectl pki` made; our key is the signer's.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
import pytest

from auth import OUR_CERTIFICATE, Pki, Swanctl, eap_vpn, explained, pem_configuration, their_connection, up_and_down
from iked import Iked, block, wait_clean, wait_tunnel
from lab import wait_until
from strongswan import StrongSwan
from test_auth_eap import PSK

PLUGINS = "eap-identity eap-tls pkcs12 revocation"
OURS = ("local-id gwa.example", "remote-id gwb.example", *OUR_CERTIFICATE)
KEY = block("pre-shared-key k", "id gwb.example", f"secret {PSK}")
SECRETS = f"secrets {{\n ike-site {{\n id-1 = gwa.example\n secret = {PSK}\n }}\n}}\n"


def start_swan(g, pki, text):
    # TLS 1.2, its default: strongSwan 5.9.8 has TLS 1.3 without RFC 9190, and ends at the octet that comes before EAP Success
    return StrongSwan(g.gwb, text, charon_plugins=PLUGINS, files=pki.swan_files()).start()


def at_gwb(text):
    """The configuration of gwb out of that of gwa."""
    for ours, theirs in (("192.0.2.1", "198.51.100.1"), ("192.168.0.0", "192.168.99.0"), ("gwa.example", "gwb.example")):
        text = theirs.join(part.replace(theirs, ours) for part in text.split(ours))
    return text.replace("certificate gwa\n", "certificate gwb\n").replace("remote-ca-certificate gwa-ca", "remote-ca-certificate gwb-ca")


@pytest.mark.parametrize("kind", ["rsa-2048", "ecdsa-p256"])
def test_auth_eaptls_both_roles(g, kind):
    pki = Pki(g.gwa.dir / "pki", kind)
    # we are the gateway, which proves itself by a pre-shared key; the peer is asked for its EAP identity
    iked = Iked(g.gwa, pem_configuration(pki.text, eap_vpn("pre-shared-key", "eap-tls", *OURS, "remote-eap-id %any"), KEY)).start()
    user = their_connection("auth = eap-tls\n id = gwb.example\n certs = gwb.pem", "auth = psk\n id = gwa.example", secrets=SECRETS)
    swan = start_swan(g, pki, user)
    capture = g.capture()
    up_and_down(g, iked, swan, "theirs", ("eap-tls", "gwb.example"))
    assert "TLSv1.2, " in iked.process.output(), iked.process.output()[-3000:]
    # and nobody is asked, while the gateway's certificate is for IKE as well
    iked.load(pem_configuration(pki.text, eap_vpn("certificate", "eap-tls", *OURS)))
    swan.config.write_text(their_connection("auth = eap-tls\n id = gwb.example\n certs = gwb.pem", "auth = pubkey\n id = gwa.example"))
    swan.swanctl("--load-all", "--file", str(swan.config))
    up_and_down(g, iked, swan, "theirs", ("eap-tls", "gwb.example"))
    # we are the user
    iked.load(pem_configuration(pki.text, eap_vpn("eap-tls", "certificate", *OURS)))
    for eap_id in ("", "eap_id = %any"):
        swan.config.write_text(their_connection("auth = pubkey\n id = gwb.example\n certs = gwb.pem", f"auth = eap-tls\n id = gwa.example\n {eap_id}"))
        swan.swanctl("--load-all", "--file", str(swan.config))
        up_and_down(g, iked, swan, "ours", ("eap-tls", "gwa.example"))
    capture.assert_only_ike_and_esp(g.INNER)


def test_auth_eaptls_alone(g):
    # RFC 5998: no AUTH but EAP's at either end
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    iked = Iked(g.gwa, pem_configuration(pki.text, eap_vpn("eap-tls", "eap-tls", *OURS))).start()
    both = their_connection("auth = eap-tls\n id = gwb.example\n certs = gwb.pem", "auth = eap-tls\n id = gwa.example")
    swan = start_swan(g, pki, both)
    up_and_down(g, iked, swan, "ours", ("eap-tls", "gwa.example"))
    up_and_down(g, iked, swan, "theirs", ("eap-tls", "gwb.example"))


def test_auth_eaptls_1_3_between_two_of_ours(g):
    pki = Pki(g.gwa.dir / "pki", "rsa-2048")
    vpn = eap_vpn("eap-tls", "eap-tls", *OURS)
    ours = Iked(g.gwa, pem_configuration(pki.text, vpn)).start()
    theirs = Iked(g.gwb, pem_configuration(pki.config("gwb"), at_gwb(vpn))).start()
    ours.initiate("site", "net")
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    for iked in (ours, theirs):
        assert "TLSv1.3, " in iked.process.output(), iked.process.output()[-3000:]
    ours.terminate("site")
    wait_clean(g.gwa)
    wait_clean(g.gwb)


def test_auth_eaptls_refuses_and_says_why(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    other = Pki(g.gwa.dir / "other", "ecdsa-p256")
    iked = Iked(g.gwa, pem_configuration(pki.text, eap_vpn("certificate", "eap-tls", *OURS))).start()

    def refused(*words):
        why = wait_until(lambda: (text := explained(iked)) and all(word in text for word in words) and text, f"an explanation with {words}; there is\n{explained(iked)}", 20)
        assert not g.gwa.sas(), why

    user = their_connection("auth = eap-tls\n id = gwb.example\n certs = gwb.pem", "auth = pubkey\n id = gwa.example")
    # a certificate of another authority
    swan = start_swan(g, pki, user)
    for name in ("x509/gwb.pem", "private/gwb.key"):
        (swan.folder / name).write_bytes((other.dir / name.split("/")[1]).read_bytes())
    swan.swanctl("--load-all", "--clear", "--file", str(swan.config))
    assert swan.initiate("net", check=False).returncode != 0
    refused('certificate "C=CH, O=Example, CN=gwb" was issued by "C=CH, O=Example, CN=Example CA", which is neither trusted')
    # one of somebody else, who says that it is gwb
    pki.issue("gwc", "--key", "ecdsa-p256")
    for file, source in (("x509/gwb.pem", "gwc.pem"), ("private/gwb.key", "gwc.key")):
        (swan.folder / file).write_bytes((pki.dir / source).read_bytes())
    swan.config.write_text(user.replace("id = gwb.example", "id = gwc.example"))
    iked.load(pem_configuration(pki.text, eap_vpn("certificate", "eap-tls", "local-id gwa.example", "remote-id gwc.example", "certificate gwa", "remote-ca-certificate gwa-ca", "remote-eap-id gwb.example")))
    swan.swanctl("--load-all", "--clear", "--file", str(swan.config))
    assert swan.initiate("net", check=False).returncode != 0
    refused('its certificate "C=CH, O=Example, CN=gwc" is not of gwb.example, its EAP identity')
    # as the user, whom the gateway does not trust
    iked.load(pem_configuration(other.text, eap_vpn("eap-tls", "eap-tls", *OURS)))
    swan.config.write_text(their_connection("auth = eap-tls\n id = gwb.example\n certs = gwb.pem", "auth = eap-tls\n id = gwa.example"))
    for file in ("x509/gwb.pem", "private/gwb.key"):
        (swan.folder / file).write_bytes((pki.dir / file.split("/")[1]).read_bytes())
    swan.swanctl("--load-all", "--clear", "--file", str(swan.config))
    assert iked.initiate("site", "net", check=False).returncode != 0
    refused("EAP as gwa.example failed", 'certificate "C=CH, O=Example, CN=gwb"')


def test_auth_eaptls_driven_by_swanctl(g):
    # ours from swanctl.conf alone, as gateway
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    iked = Iked(g.gwa, pem_configuration()).start()
    swanctl = Swanctl(g, iked, pki)
    swanctl.load("auth = pubkey\n id = gwa.example\n certs = gwa.pem", "auth = eap-tls\n id = gwb.example")
    assert "TLS" in swanctl("--list-conns")
    user = their_connection("auth = eap-tls\n id = gwb.example\n certs = gwb.pem", "auth = pubkey\n id = gwa.example")
    swan = start_swan(g, pki, user)
    up_and_down(g, iked, swan, "theirs", ("eap-tls", "gwb.example"))

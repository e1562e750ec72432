# SPDX-License-Identifier: Apache-2.0
"""EAP against strongSwan in both roles, through an SVTI: the end that begins is the user, the other one the gateway.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""

import pytest

from auth import GWA, GWB, Pki, Swanctl, eap_vpn, explained, pem_configuration, their_connection, up_and_down
from iked import Iked, block, configuration, wait_tunnel
from lab import wait_until
from strongswan import StrongSwan

PLUGINS = "eap-identity eap-md5 eap-mschapv2 md5"
PSK = "0seaJ31RfzHNRvUSH0oUYg7znTW0I="
PASSWORD = "pass word äö"
OUR_KEYS = (block("pre-shared-key k", "id gwb.example", f"secret {PSK}"), block("eap-key joe", "id joe@example.com", f'secret "{PASSWORD}"'))
THEIR_KEYS = f"""
secrets {{
  ike-site {{
    id-1 = gwa.example
    secret = {PSK}
  }}
  eap-joe {{
    id-1 = joe@example.com
    secret = "{PASSWORD}"
  }}
}}
"""


IDS = ("local-id gwa.example", "remote-id gwb.example")


@pytest.mark.parametrize("method", ["eap-mschapv2", "eap-md5"])
def test_auth_eap_both_roles(g, method):
    # we are the gateway
    iked = Iked(g.gwa, configuration(eap_vpn("pre-shared-key", method, *IDS, "remote-eap-id %any"), *OUR_KEYS)).start()
    user = their_connection(f"auth = {method}\n id = gwb.example\n eap_id = joe@example.com", "auth = psk\n id = gwa.example", secrets=THEIR_KEYS)
    swan = StrongSwan(g.gwb, user, charon_plugins=PLUGINS).start()
    capture = g.capture()
    up_and_down(g, iked, swan, "theirs", (method, "joe@example.com"))
    # nobody is asked, and the IKE identity counts
    key = block("eap-key gwb", "id gwb.example", "secret sesame")
    iked.load(configuration(eap_vpn("pre-shared-key", method, *IDS), *OUR_KEYS, key))
    swan.config.write_text(
        their_connection(f"auth = {method}\n id = gwb.example", "auth = psk\n id = gwa.example", secrets=THEIR_KEYS.replace("joe@example.com", "gwb.example").replace(PASSWORD, "sesame"))
    )
    swan.swanctl("--load-all", "--clear", "--file", str(swan.config))
    up_and_down(g, iked, swan, "theirs", (method, "gwb.example"))
    # we are the user
    iked.load(configuration(eap_vpn(method, "pre-shared-key", *IDS, "local-eap-id joe@example.com"), *OUR_KEYS))
    for eap_id in ("%any", "joe@example.com"):
        swan.config.write_text(their_connection("auth = psk\n id = gwb.example", f"auth = {method}\n id = gwa.example\n eap_id = {eap_id}", secrets=THEIR_KEYS))
        swan.swanctl("--load-all", "--file", str(swan.config))
        up_and_down(g, iked, swan, "ours", (method, "joe@example.com"))
    capture.assert_only_ike_and_esp(g.INNER)


def test_auth_eap_with_certificates_of_the_gateway_and_rekeys(g):
    pki = Pki(g.gwa.dir / "pki", "rsa-2048")
    gateway = pem_configuration(pki.text, eap_vpn("certificate", "eap-mschapv2", "certificate gwa", "remote-eap-id %any"), *OUR_KEYS)
    iked = Iked(g.gwa, gateway).start()
    user = their_connection("auth = eap-mschapv2\n id = gwb.example\n eap_id = joe@example.com", f'auth = pubkey\n id = "{GWA}"', secrets=THEIR_KEYS)
    swan = StrongSwan(g.gwb, user, charon_plugins=PLUGINS, files=pki.swan_files()).start()
    up_and_down(g, iked, swan, "theirs", ("eap-mschapv2", "joe@example.com"))
    iked.load(pem_configuration(pki.text, eap_vpn("eap-mschapv2", "certificate", "remote-ca-certificate gwa-ca", "local-id gwa.example", f'remote-id "{GWB}"', "local-eap-id joe@example.com"), *OUR_KEYS))
    swan.config.write_text(
        their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', "auth = eap-mschapv2\n id = gwa.example\n eap_id = %any", secrets=THEIR_KEYS)
    )
    swan.swanctl("--load-all", "--file", str(swan.config))
    iked.initiate("site", "net")
    wait_tunnel(g.gwa, g.gwb)
    before = swan.unique_ids("net")
    iked.ctl("rekey", "site")
    wait_until(lambda: swan.unique_ids("net")[0] not in ([], before[0]), "the IKE SA is rekeyed")
    assert iked.ike_sas()[0]["local-eap-id"] == "joe@example.com"
    g.clienta.ping_ok("192.168.99.2")


def test_auth_eap_alone(g):
    # RFC 5998: no pre-shared key and no certificate at either end. As user strongSwan goes all the way, and then does not take MSCHAPv2 for good enough.
    iked = Iked(g.gwa, configuration(eap_vpn("eap-mschapv2", "eap-mschapv2", *IDS, "local-eap-id joe@example.com", "remote-eap-id %any"), OUR_KEYS[1])).start()
    eap = "auth = eap-mschapv2\n id = {}\n eap_id = {}"
    theirs = (eap.format("gwb.example", "joe@example.com"), eap.format("gwa.example", "%any"))
    swan = StrongSwan(g.gwb, their_connection(*theirs, secrets=THEIR_KEYS), charon_plugins=PLUGINS).start()
    up_and_down(g, iked, swan, "ours", ("eap-mschapv2", "joe@example.com"))


def test_auth_eap_refuses_and_says_why(g):
    iked = Iked(g.gwa, configuration(eap_vpn("pre-shared-key", "eap-mschapv2", *IDS, "remote-eap-id %any"), *OUR_KEYS)).start()
    user = "auth = eap-mschapv2\n id = gwb.example\n eap_id = {}"
    gateway = "auth = psk\n id = gwa.example"
    swan = StrongSwan(g.gwb, their_connection(user.format("joe@example.com"), gateway, secrets=THEIR_KEYS.replace(PASSWORD, "sesame")), charon_plugins=PLUGINS).start()

    def refused(*words):
        why = wait_until(lambda: (text := explained(iked)) and all(word in text for word in words) and text, f"an explanation with {words}; there is\n{explained(iked)}", 20)
        assert not g.gwa.sas(), why

    assert swan.initiate("net", check=False).returncode != 0
    refused("joe@example.com", "the password does not match")
    swan.config.write_text(their_connection(user.format("eve@example.com"), gateway, secrets=THEIR_KEYS.replace("joe@", "eve@")))
    swan.swanctl("--load-all", "--file", str(swan.config))
    assert swan.initiate("net", check=False).returncode != 0
    refused("no eap-key for its EAP identity eve@example.com")
    # as the user, with another password than the gateway knows
    iked.load(configuration(eap_vpn("eap-mschapv2", "pre-shared-key", *IDS, "local-eap-id joe@example.com"), *OUR_KEYS))
    swan.config.write_text(
        their_connection("auth = psk\n id = gwb.example", "auth = eap-mschapv2\n id = gwa.example\n eap_id = %any", secrets=THEIR_KEYS.replace(PASSWORD, "sesame"))
    )
    swan.swanctl("--load-all", "--clear", "--file", str(swan.config))
    assert iked.initiate("site", "net", check=False).returncode != 0
    refused("the server refuses user joe@example.com: error 691")
    # and where the user sends no AUTH, and the VPN wants a key
    iked.load(configuration(eap_vpn("pre-shared-key", "pre-shared-key", *IDS), OUR_KEYS[0]))
    swan.config.write_text(their_connection(user.format("joe@example.com"), gateway, secrets=THEIR_KEYS))
    swan.swanctl("--load-all", "--clear", "--file", str(swan.config))
    assert swan.initiate("net", check=False).returncode != 0
    refused("it asks for EAP, pre-shared-key is configured")


def test_auth_eap_driven_by_swanctl(g):
    # ours from swanctl.conf alone, as gateway
    iked = Iked(g.gwa, pem_configuration()).start()
    swanctl = Swanctl(g, iked)
    swanctl.load("auth = psk\n id = gwa.example", "auth = eap-mschapv2\n id = gwb.example\n eap_id = %any", THEIR_KEYS.replace("gwa.example", "gwb.example"))
    conns = swanctl("--list-conns")
    assert "MSCHAPV2" in conns, conns
    user = their_connection("auth = eap-mschapv2\n id = gwb.example\n eap_id = joe@example.com", "auth = psk\n id = gwa.example", secrets=THEIR_KEYS)
    swan = StrongSwan(g.gwb, user, charon_plugins=PLUGINS).start()
    up_and_down(g, iked, swan, "theirs", ("eap-mschapv2", "joe@example.com"))


def test_auth_eap_with_ppk_both_roles(g):
    # RFC 8784 3: the PPK comes with the AUTH after EAP. First as gateway that requires it, with a method that makes no key; then as user.
    ppk = block("ppk q", "id quantum.example", "secret mYq1kq7c0JxOcp2UhUcw0O2sVwkX1n4n")
    secrets = THEIR_KEYS.replace("secrets {", "secrets {\n  ppk-q {\n    id = quantum.example\n    secret = mYq1kq7c0JxOcp2UhUcw0O2sVwkX1n4n\n  }")

    def ours(*vpn):
        return configuration(eap_vpn(*vpn, *IDS, "ike-policy ppk-id quantum.example", "ike-policy ppk-required true"), *OUR_KEYS, ppk)

    def theirs(local, remote, required):
        return their_connection(local, remote, secrets=secrets).replace("mobike = no", f"mobike = no\n    ppk_id = quantum.example\n    ppk_required = {required}")

    def up(initiate):
        initiate("net")
        wait_tunnel(g.gwa, g.gwb)
        assert "PPK" in swan.wait_child("net")
        assert [sa["ppk"] for sa in iked.ike_sas()] == [True]
        g.clienta.ping_ok("192.168.99.2")
        iked.terminate("site")
        swan.wait_no_sa()

    iked = Iked(g.gwa, ours("pre-shared-key", "eap-md5", "remote-eap-id %any")).start()
    user = theirs("auth = eap-md5\n id = gwb.example\n eap_id = joe@example.com", "auth = psk\n id = gwa.example", "no")
    swan = StrongSwan(g.gwb, user, charon_plugins=PLUGINS).start()
    up(swan.initiate)
    iked.load(ours("eap-mschapv2", "pre-shared-key", "local-eap-id joe@example.com"))
    swan.config.write_text(theirs("auth = psk\n id = gwb.example", "auth = eap-mschapv2\n id = gwa.example\n eap_id = %any", "yes"))
    swan.swanctl("--load-all", "--file", str(swan.config))
    up(lambda child: iked.initiate("site", child))

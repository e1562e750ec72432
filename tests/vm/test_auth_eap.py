# SPDX-License-Identifier: Apache-2.0
"""EAP against strongSwan in both roles, through an SVTI: the end that begins is the user, the other one the gateway.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
import json

import pytest

from iked import GCM_ESP, GCM_IKE, Iked, block, configuration, wait_clean, wait_tunnel
from lab import wait_until
from strongswan import StrongSwan
from test_auth_certificates import GWA, GWB, Pki, explained, their_connection
from test_auth_certificates import configuration as with_pem

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


def our_vpn(local, remote, *leaves):
    """Lines of the VPN `site` on gwa, with these authentication methods."""
    return "\n".join(
        [
            block("ike-policy-template ike-site", block("ike-proposal 1", *GCM_IKE), f"local-auth-method {local}", f"remote-auth-method {remote}"),
            block("ipsec-policy-template ipsec-site", "start-action none", "close-action none", "dpd-action clear", block("esp-proposal 1", *GCM_ESP)),
            block(
                "vpn site",
                block("ike-policy", "template ike-site"),
                block("ipsec-policy", "template ipsec-site"),
                "local-address 192.0.2.1",
                "remote-address 198.51.100.1",
                *leaves,
                block("security-policy net", "local-ts subnet 192.168.0.0/24", "remote-ts subnet 192.168.99.0/24", "svti-id-in 100", "svti-id-out 100"),
            ),
        ]
    )


IDS = ("local-id gwa.example", "remote-id gwb.example")


@pytest.fixture
def g(gateways):
    gateways.svtis()
    gateways.gwb.route("192.168.0.0/24", dev="svti100")
    return gateways


def ike_sa(iked):
    """The one IKE SA of `ikectl show state`."""
    state = json.loads(iked.ctl("show", "state", "--json").stdout)
    found = []

    def walk(node):
        if isinstance(node, dict):
            found.extend(node.get("ike-sa", []))
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(state)
    assert len(found) == 1, state
    return found[0]


def up_seen_down(g, iked, swan, initiator, method, user="joe@example.com"):
    if initiator == "ours":
        iked.initiate("site", "net")
    else:
        swan.initiate("net")
    wait_tunnel(g.gwa, g.gwb)
    swan.wait_child("net")
    g.clienta.ping_ok("192.168.99.2")
    sa = ike_sa(iked)
    assert sa["eap-method"] == method, sa
    assert sa["local-eap-id" if initiator == "ours" else "remote-eap-id"] == user, sa
    iked.terminate("site")
    wait_clean(g.gwa)
    swan.wait_no_sa()


@pytest.mark.parametrize("method", ["eap-mschapv2", "eap-md5"])
def test_auth_eap_both_roles(g, method):
    # we are the gateway
    iked = Iked(g.gwa, configuration(our_vpn("pre-shared-key", method, *IDS, "remote-eap-id %any"), *OUR_KEYS)).start()
    user = their_connection(f"auth = {method}\n id = gwb.example\n eap_id = joe@example.com", "auth = psk\n id = gwa.example", secrets=THEIR_KEYS)
    swan = StrongSwan(g.gwb, user, charon_plugins=PLUGINS).start()
    capture = g.capture()
    up_seen_down(g, iked, swan, "theirs", method)
    # nobody is asked, and the IKE identity counts
    key = block("eap-key gwb", "id gwb.example", "secret sesame")
    iked.load(configuration(our_vpn("pre-shared-key", method, *IDS), *OUR_KEYS, key))
    swan.config.write_text(
        their_connection(f"auth = {method}\n id = gwb.example", "auth = psk\n id = gwa.example", secrets=THEIR_KEYS.replace("joe@example.com", "gwb.example").replace(PASSWORD, "sesame"))
    )
    swan.swanctl("--load-all", "--clear", "--file", str(swan.config))
    up_seen_down(g, iked, swan, "theirs", method, "gwb.example")
    # we are the user
    iked.load(configuration(our_vpn(method, "pre-shared-key", *IDS, "local-eap-id joe@example.com"), *OUR_KEYS))
    for eap_id in ("%any", "joe@example.com"):
        swan.config.write_text(their_connection("auth = psk\n id = gwb.example", f"auth = {method}\n id = gwa.example\n eap_id = {eap_id}", secrets=THEIR_KEYS))
        swan.swanctl("--load-all", "--file", str(swan.config))
        up_seen_down(g, iked, swan, "ours", method)
    capture.assert_only_ike_and_esp(g.INNER)


def test_auth_eap_with_certificates_of_the_gateway_and_rekeys(g):
    pki = Pki(g.gwa.dir / "pki", "rsa-2048")
    gateway = with_pem(pki.text, our_vpn("certificate", "eap-mschapv2", "certificate gwa", "remote-eap-id %any"), *OUR_KEYS)
    iked = Iked(g.gwa, gateway).start()
    user = their_connection("auth = eap-mschapv2\n id = gwb.example\n eap_id = joe@example.com", f'auth = pubkey\n id = "{GWA}"', secrets=THEIR_KEYS)
    swan = StrongSwan(g.gwb, user, charon_plugins=PLUGINS, files=pki.swan_files()).start()
    up_seen_down(g, iked, swan, "theirs", "eap-mschapv2")
    iked.load(with_pem(pki.text, our_vpn("eap-mschapv2", "certificate", "remote-ca-certificate gwa-ca", "local-id gwa.example", f'remote-id "{GWB}"', "local-eap-id joe@example.com"), *OUR_KEYS))
    swan.config.write_text(
        their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', "auth = eap-mschapv2\n id = gwa.example\n eap_id = %any", secrets=THEIR_KEYS)
    )
    swan.swanctl("--load-all", "--file", str(swan.config))
    iked.initiate("site", "net")
    wait_tunnel(g.gwa, g.gwb)
    before = swan.unique_ids("net")
    iked.ctl("rekey", "site")
    wait_until(lambda: swan.unique_ids("net")[0] not in ([], before[0]), "the IKE SA is rekeyed")
    assert ike_sa(iked)["local-eap-id"] == "joe@example.com"
    g.clienta.ping_ok("192.168.99.2")


def test_auth_eap_alone(g):
    # RFC 5998: no pre-shared key and no certificate at either end. As user strongSwan goes all the way, and then does not take MSCHAPv2 for good enough.
    iked = Iked(g.gwa, configuration(our_vpn("eap-mschapv2", "eap-mschapv2", *IDS, "local-eap-id joe@example.com", "remote-eap-id %any"), OUR_KEYS[1])).start()
    eap = "auth = eap-mschapv2\n id = {}\n eap_id = {}"
    theirs = (eap.format("gwb.example", "joe@example.com"), eap.format("gwa.example", "%any"))
    swan = StrongSwan(g.gwb, their_connection(*theirs, secrets=THEIR_KEYS), charon_plugins=PLUGINS).start()
    up_seen_down(g, iked, swan, "ours", "eap-mschapv2")


def test_auth_eap_refuses_and_says_why(g):
    iked = Iked(g.gwa, configuration(our_vpn("pre-shared-key", "eap-mschapv2", *IDS, "remote-eap-id %any"), *OUR_KEYS)).start()
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
    iked.load(configuration(our_vpn("eap-mschapv2", "pre-shared-key", *IDS, "local-eap-id joe@example.com"), *OUR_KEYS))
    swan.config.write_text(
        their_connection("auth = psk\n id = gwb.example", "auth = eap-mschapv2\n id = gwa.example\n eap_id = %any", secrets=THEIR_KEYS.replace(PASSWORD, "sesame"))
    )
    swan.swanctl("--load-all", "--clear", "--file", str(swan.config))
    assert iked.initiate("site", "net", check=False).returncode != 0
    refused("the server refuses user joe@example.com: error 691")
    # and where the user sends no AUTH, and the VPN wants a key
    iked.load(configuration(our_vpn("pre-shared-key", "pre-shared-key", *IDS), OUR_KEYS[0]))
    swan.config.write_text(their_connection(user.format("joe@example.com"), gateway, secrets=THEIR_KEYS))
    swan.swanctl("--load-all", "--clear", "--file", str(swan.config))
    assert swan.initiate("net", check=False).returncode != 0
    refused("it asks for EAP, pre-shared-key is configured")


def test_auth_eap_driven_by_swanctl(g):
    # ours from swanctl.conf alone, as gateway
    iked = Iked(g.gwa, with_pem()).start()
    folder = g.gwa.dir / "swanctl"
    folder.mkdir(parents=True, exist_ok=True)
    ours = their_connection(
        "auth = psk\n id = gwa.example",
        "auth = eap-mschapv2\n id = gwb.example\n eap_id = %any",
        ("192.0.2.1", "192.168.0.0/24"),
        ("198.51.100.1", "192.168.99.0/24"),
        secrets=THEIR_KEYS.replace("gwa.example", "gwb.example"),
    )
    (folder / "swanctl.conf").write_text(ours)
    settings = g.gwa.dir / "swanctl-settings.conf"
    settings.write_text("swanctl { load = random pem pkcs1 pkcs8 x509 openssl }\n")

    def swanctl(*args):
        env = {"SWANCTL_DIR": str(folder), "STRONGSWAN_CONF": str(settings)}
        return g.gwa.run(["swanctl", *args, "--uri", f"unix://{iked.socket}"], timeout=90, env=env).stdout

    loaded = swanctl("--load-all")
    assert "successfully loaded 1 connections" in loaded, loaded
    conns = swanctl("--list-conns")
    assert "MSCHAPV2" in conns, conns
    user = their_connection("auth = eap-mschapv2\n id = gwb.example\n eap_id = joe@example.com", "auth = psk\n id = gwa.example", secrets=THEIR_KEYS)
    swan = StrongSwan(g.gwb, user, charon_plugins=PLUGINS).start()
    up_seen_down(g, iked, swan, "theirs", "eap-mschapv2")

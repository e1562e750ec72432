# SPDX-License-Identifier: Apache-2.0
"""A gateway that asks RADIUS servers who its peers are: FreeRADIUS on the client behind it, strongSwan as road warrior.

    clienta (FreeRADIUS) ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100)
"""
import pathlib
import time

import pytest

from auth import GWA, Pki, explained, pem_configuration
from freeradius import FreeRadius, ask_nas
from iked import GCM_ESP, GCM_IKE, Iked, block, entries, wait_clean
from lab import wait_until
from strongswan import StrongSwan

SECRET = "testing123"
PASSWORD = "clientPass"
VIP = "10.77.0.7"
SERVER = "192.168.0.2"
DEAD = "192.168.0.9"
PLUGINS = "eap-identity eap-md5 eap-mschapv2 eap-tls eap-ttls md5"
USERS = f"""
joe@example.com Cleartext-Password := "{PASSWORD}"
\tFramed-IP-Address = {VIP},
\tClass = 0x4772757070652041,
\tAcct-Interim-Interval = 60

gwb.example
\tFramed-IP-Address = {VIP}
"""


def our_config(pki, *radius, own="certificate"):
    """The gateway, which proves itself by its certificate."""
    return pem_configuration(
        pki.text,
        block("ike-policy-template t", block("ike-proposal 1", *GCM_IKE), f"local-auth-method {own}", "remote-auth-method eap-radius"),
        block("ipsec-policy-template t", "start-action none", "close-action none", "dpd-action clear", block("esp-proposal 1", *GCM_ESP)),
        block(
            "vpn site",
            block("ike-policy", "template t"),
            block("ipsec-policy", "template t"),
            "local-address 192.0.2.1",
            "certificate gwa",
            "remote-eap-id %any",
            block("security-policy net", "local-ts subnet 192.168.0.0/24", "svti-id-in 100", "svti-id-out 100"),
        ),
        block("eap-radius", *radius),
    )


def server(name="fr", address=SERVER, secret=SECRET, *more):
    return block(f"server {name}", f"address {address}", f"secret {secret}", *more)


def warrior(method, user="joe@example.com", password=PASSWORD, more=""):
    return f"""
connections {{
  site {{
    version = 2
    local_addrs = 198.51.100.1
    remote_addrs = 192.0.2.1
    proposals = aes128gcm16-prfsha256-curve25519
    mobike = no
    vips = 0.0.0.0
    local {{
      auth = {method}
      id = gwb.example
      eap_id = {user}
      {more}
    }}
    remote {{
      auth = pubkey
      id = "{GWA}"
    }}
    children {{
      net {{
        remote_ts = 192.168.0.0/24
        esp_proposals = aes128gcm16
        if_id_in = 100
        if_id_out = 100
      }}
    }}
  }}
}}
secrets {{
  eap-joe {{
    id = {user}
    secret = "{password}"
  }}
}}
"""


@pytest.fixture
def g(gateways):
    gateways.svtis()
    gateways.gwb.ip(f"addr add {VIP}/32 dev svti100", f"route add 192.168.0.0/24 dev svti100 src {VIP}")
    gateways.pki = Pki(gateways.gwa.dir / "pki", "ecdsa-p256")
    gateways.pki.issue("radius", "--key", "ecdsa-p256")
    return gateways


@pytest.fixture
def names():
    """radius.example is known by /etc/hosts."""
    file = pathlib.Path("/etc/hosts")
    before = file.read_text() if file.exists() else ""
    file.write_text(f"{before}\n{SERVER} radius.example\n")
    yield
    file.write_text(before)


def start_all(g, method="eap-md5", *radius, users=USERS, eap="md5", more="", user="joe@example.com"):
    g.radius = FreeRadius(g.clienta, users, {"192.168.0.1": SECRET}, g.pki.dir, eap=eap).start()
    g.iked = Iked(g.gwa, our_config(g.pki, *(radius or (server(),)))).start()
    g.swan = StrongSwan(g.gwb, warrior(method, more=more, user=user), charon_plugins=PLUGINS, files=g.pki.swan_files()).start()


def connect(g):
    g.swan.initiate("net")
    g.swan.wait_child("net")
    g.gwb.ping_ok(SERVER)
    (sa,) = g.iked.ike_sas()
    return sa


# The server decides on the method: strongSwan does any, and says NAK to what it does not like.
@pytest.mark.parametrize("method", ["eap-md5", "eap-mschapv2", "eap-tls", "eap-ttls"])
def test_auth_radius_methods(g, method):
    more = 'certs = gwb.pem\n aaa_id = "C=CH, O=Example, CN=radius"' if method == "eap-tls" else 'aaa_id = "C=CH, O=Example, CN=radius"' if method == "eap-ttls" else ""
    start_all(g, method, eap=method.removeprefix("eap-"), more=more, user="gwb.example" if method == "eap-tls" else "joe@example.com")
    sa = connect(g)
    assert sa["eap-method"] == "eap-radius" and sa["radius-server"] == "fr", sa
    assert sa["remote-eap-id"] == ("gwb.example" if method == "eap-tls" else "joe@example.com"), sa
    assert VIP in str(sa), sa
    # the IKE SA is rekeyed, and still that user's
    g.iked.rekey_ike("site")
    wait_until(lambda: g.iked.ike_sas()[0]["unique-id"] != sa["unique-id"], "the IKE SA is rekeyed")
    assert g.iked.ike_sas()[0]["radius-server"] == "fr"
    g.gwb.ping_ok(SERVER)
    g.iked.terminate("site")
    wait_clean(g.gwa)


def test_auth_radius_accounting_and_disconnect(g):
    start_all(g, "eap-mschapv2", "accounting true", "accounting-interval 3600", block("dynamic-authorization"), server(), eap="mschapv2")
    connect(g)
    begun = g.radius.wait_accounted("Start")
    assert begun["User-Name"] == "joe@example.com" and begun["Framed-IP-Address"] == VIP and begun["Class"] == "0x4772757070652041", begun
    assert begun["NAS-Identifier"] == "svti-iked" and begun["NAS-IP-Address"] == "192.0.2.1", begun
    session = begun["Acct-Session-Id"]
    g.gwb.run(["ping", "-c", "20", "-i", "0.05", "-s", "1000", SERVER])
    # a rekey of the IKE SA begins no other session
    g.iked.rekey_ike("site")
    g.swan.rekey_child("net")
    g.gwb.ping_ok(SERVER)

    def ask(kind, attributes, secret=SECRET):
        return ask_nas(g.clienta, "192.168.0.1", kind, secret, f"{attributes}\nEvent-Timestamp = {int(time.time())}\nMessage-Authenticator = 0x00")

    assert "Disconnect-NAK" in (said := ask("disconnect", 'User-Name = "eve@example.com"')) and "Session-Context-Not-Found" in said, said
    assert "CoA-NAK" in (said := ask("coa", 'User-Name = "joe@example.com"\nFilter-Id = "x"')) and "Unsupported-Attribute" in said, said
    assert "CoA-ACK" in (said := ask("coa", 'User-Name = "joe@example.com"\nSession-Timeout = 86400')), said
    # without the secret, or without the time, there is no answer
    assert "Disconnect-" not in ask("disconnect", f'Acct-Session-Id = "{session}"', "guessed").split("Sent", 1)[-1].split("Received", 1)[-1].replace("Disconnect-Request", "")
    assert g.iked.ike_sas()
    assert "Disconnect-ACK" in (said := ask("disconnect", f'Acct-Session-Id = "{session}"')), said
    g.swan.wait_no_sa()
    wait_clean(g.gwa)
    ended = g.radius.wait_accounted("Stop")
    assert ended["Acct-Session-Id"] == session and ended["Acct-Terminate-Cause"] == "Admin-Reset", ended
    for direction in ("Input", "Output"):
        assert int(ended[f"Acct-{direction}-Octets"]) > 20_000 and int(ended[f"Acct-{direction}-Packets"]) >= 20, ended
    assert len(g.radius.accounted("Start")) == 1 and len(g.radius.accounted("Stop")) == 1


def test_auth_radius_interim_updates(g):
    # the server asks for no interval of its own: ours counts
    radius = ("accounting true", "accounting-interval 2s", block("dynamic-authorization"), server())
    start_all(g, "eap-mschapv2", *radius, eap="mschapv2", users=USERS.replace(",\n\tAcct-Interim-Interval = 60", ""))
    connect(g)
    session = g.radius.wait_accounted("Start")["Acct-Session-Id"]

    def update_beyond(octets):
        """The first update that tells of so much from the peer."""
        return wait_until(lambda: next((one for one in g.radius.accounted("Interim-Update") if int(one["Acct-Input-Octets"]) > octets), None), f"an update beyond {octets} octets", 30)

    before = None
    for _ in range(2):
        g.gwb.run(["ping", "-c", "10", "-i", "0.05", "-s", "1000", SERVER])
        update = update_beyond(int(before["Acct-Input-Octets"]) + 9_000 if before else 9_000)
        assert update["Acct-Session-Id"] == session and int(update["Acct-Session-Time"]) >= (int(before["Acct-Session-Time"]) + 2 if before else 2), update
        before = update
        # the counts go on after a rekey
        g.swan.rekey_child("net")
    # a server that asks for more than one a minute gets one a minute
    asked = f'User-Name = "joe@example.com"\nAcct-Interim-Interval = 1\nEvent-Timestamp = {int(time.time())}\nMessage-Authenticator = 0x00'
    assert "CoA-ACK" in (said := ask_nas(g.clienta, "192.168.0.1", "coa", SECRET, asked)), said
    so_far = len(g.radius.accounted("Interim-Update"))
    g.iked.terminate("site")
    ended = g.radius.wait_accounted("Stop")
    assert int(ended["Acct-Input-Octets"]) >= int(before["Acct-Input-Octets"]) and ended["Acct-Terminate-Cause"], ended
    assert len(g.radius.accounted("Interim-Update")) == so_far


def test_auth_radius_fails_over(g, names):
    quick = ("retransmit-tries 2", "retransmit-timeout 1.0", "retransmit-base 1.0")
    start_all(g, "eap-mschapv2", *quick, server("lost", "lost.invalid", SECRET, "preference 20"), server("first", DEAD, SECRET, "preference 10"), server(address="radius.example"), eap="mschapv2")
    sa = connect(g)
    assert sa["radius-server"] == "fr", sa
    servers = {one["name"]: one for one in entries(g.iked.state(), "radius-server-state")}
    assert not servers["first"]["alive"] and servers["fr"]["alive"], servers
    assert servers["fr"]["host"] == "radius.example" and servers["fr"]["address"] == SERVER, servers
    assert not servers["lost"]["alive"] and "its name was not found" in servers["lost"]["reason"] and "address" not in servers["lost"], servers
    assert int(servers["fr"]["accepts"]) == 1 and int(servers["first"]["timeouts"]) == 1, servers
    # for a while nobody waits for the dead one
    g.iked.terminate("site")
    g.swan.wait_no_sa()
    connect(g)
    again = {one["name"]: one for one in entries(g.iked.state(), "radius-server-state")}
    assert again["first"]["requests"] == servers["first"]["requests"], again


def test_auth_radius_refuses_and_says_why(g):
    quick = ("retransmit-tries 1", "retransmit-timeout 1.0", "retransmit-base 1.0")
    start_all(g, "eap-mschapv2", *quick, server(), eap="mschapv2")

    def refused(*words):
        assert g.swan.initiate("net", check=False).returncode != 0
        wait_until(lambda: all(word in explained(g.iked) for word in words), f"an explanation with {words}; there is\n{explained(g.iked)}", 20)
        assert not g.gwa.sas()

    # the user's password
    g.swan.config.write_text(warrior("eap-mschapv2", password="guessed"))
    g.swan.swanctl("--load-all", "--clear", "--file", str(g.swan.config))
    refused("joe@example.com", "RADIUS server fr rejects it")
    # the server's secret
    g.iked.load(our_config(g.pki, *quick, server("fr", SERVER, "guessed")))
    refused("RADIUS server fr (192.168.0.2) did not answer", "shared secret")
    # nobody there
    g.radius.stop()
    g.iked.load(our_config(g.pki, *quick, server()))
    refused("did not answer")
    # and then it is there
    g.radius.start()
    g.swan.config.write_text(warrior("eap-mschapv2"))
    g.swan.swanctl("--load-all", "--clear", "--file", str(g.swan.config))
    connect(g)

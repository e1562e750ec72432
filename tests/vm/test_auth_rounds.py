# SPDX-License-Identifier: Apache-2.0
"""More than one round of authentication (RFC 4739) against strongSwan in both roles, ours loaded by swanctl, through an SVTI.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
import pytest

from iked import Iked
from strongswan import StrongSwan
from test_auth_certificates import GWA, GWB, Pki, configuration, explained, their_connection, up_and_down

PLUGINS = "eap-identity eap-mschapv2 md5"
SECRETS = """
secrets {
  ike-any {
    secret = 0seaJ31RfzHNRvUSH0oUYg7znTW0I=
  }
  eap-joe {
    id-1 = joe@example.com
    secret = "%s"
  }
}
"""
A_CERT, B_CERT = f'auth = pubkey\n certs = gwa.pem\n id = "{GWA}"', f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"'
A_PSK, B_PSK = "auth = psk\n id = gwa.example", "auth = psk\n id = gwb.example"
USER = "auth = eap-mschapv2\n id = %s.example\n eap_id = joe@example.com"
ANY_USER = "auth = eap-mschapv2\n id = %s.example\n eap_id = %%any"


def rounds(end, *texts):
    """The lines of `end` (local, remote) for their_connection()."""
    return "".join(f"\n }}\n {end}-{n} {{\n {text}" if n > 1 else text for n, text in enumerate(texts, 1))


def of_peer(text):
    """What a round of one's own is for the other end."""
    return "\n".join(line for line in text.splitlines() if "certs" not in line)


class Pair:
    """`lefts`, `rights`: the rounds of gwa and gwb, as each has them for itself."""

    def __init__(self, g, lefts, rights, password="pass word"):
        self.pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
        self.g, self.folder = g, g.gwa.dir / "swanctl"
        for name, source in self.pki.swan_files("gwa").items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(source.read_bytes())
        self.settings = g.gwa.dir / "swanctl-settings.conf"
        self.settings.write_text("swanctl { load = random pem pkcs1 pkcs8 x509 openssl }\n")
        self.iked = Iked(g.gwa, configuration()).start()
        self.load(lefts, rights, password)
        theirs = their_connection(
            rounds("local", *rights), rounds("remote", *map(of_peer, [ANY_USER % "gwa" if "eap" in one else one for one in lefts])), secrets=SECRETS % "pass word"
        )
        self.swan = StrongSwan(g.gwb, theirs, charon_plugins=PLUGINS, files=self.pki.swan_files()).start()

    def load(self, lefts, rights, password="pass word"):
        peers = [ANY_USER % "gwb" if "eap" in one else of_peer(one) for one in rights]
        ends = ("192.0.2.1", "192.168.0.0/24"), ("198.51.100.1", "192.168.99.0/24")
        (self.folder / "swanctl.conf").write_text(their_connection(rounds("local", *lefts), rounds("remote", *peers), *ends, secrets=SECRETS % password))
        loaded = self.swanctl("--load-all")
        assert "successfully loaded 1 connections" in loaded, loaded

    def swanctl(self, *args):
        env = {"SWANCTL_DIR": str(self.folder), "STRONGSWAN_CONF": str(self.settings)}
        return self.g.gwa.run(["swanctl", *args, "--uri", f"unix://{self.iked.socket}"], timeout=90, env=env).stdout


@pytest.fixture
def g(gateways):
    gateways.svtis()
    gateways.gwb.route("192.168.0.0/24", dev="svti100")
    return gateways


@pytest.mark.parametrize("more_of", ["ours", "theirs"])
def test_auth_rounds_certificate_and_key(g, more_of):
    pair = Pair(g, [A_CERT, A_PSK] if more_of == "ours" else [A_CERT], [B_CERT, B_PSK] if more_of == "theirs" else [B_CERT])
    conns = pair.swanctl("--list-conns")
    assert "pre-shared key authentication" in conns and conns.count("public key authentication") == 2, conns
    capture = g.capture()
    for initiator in ("ours", "theirs"):
        up_and_down(g, pair.iked, pair.swan, initiator)
    capture.assert_only_ike_and_esp(g.INNER)
    log = pair.swan.process.output()
    assert "AUTH_FOLLOWS" in log, log[-3000:]


@pytest.mark.parametrize("user", ["ours", "theirs"])
def test_auth_rounds_certificate_of_the_host_and_eap_of_its_user(g, user):
    lefts, rights = ([A_CERT, USER % "gwa"], [B_CERT]) if user == "ours" else ([A_CERT], [B_CERT, USER % "gwb"])
    pair = Pair(g, lefts, rights)
    up_and_down(g, pair.iked, pair.swan, user)
    assert "eap-mschapv2 succeeded with EAP identity joe@example.com" in pair.iked.process.output()


def test_auth_rounds_refuses_and_says_why(g):
    # the host's certificate is good, the user's password is not
    pair = Pair(g, [A_CERT, USER % "gwa"], [B_CERT], password="another")
    assert pair.iked.initiate("site", "net", check=False).returncode != 0
    assert "error 691" in explained(pair.iked), explained(pair.iked)
    # the peer wants a second round, we know of none
    pair.load([A_CERT], [B_CERT])
    assert pair.iked.initiate("site", "net", check=False).returncode != 0
    assert "AUTHENTICATION_FAILED" in explained(pair.iked), explained(pair.iked)
    # and the other way round
    pair.load([A_CERT, USER % "gwa"], [B_CERT, B_PSK])
    assert pair.iked.initiate("site", "net", check=False).returncode != 0
    assert "it authenticates itself once, and has to 2 times" in explained(pair.iked), explained(pair.iked)
    assert not g.gwa.sas()
    pair.swan.wait_no_sa()

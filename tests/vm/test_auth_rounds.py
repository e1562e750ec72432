# SPDX-License-Identifier: Apache-2.0
"""More than one round of authentication (RFC 4739) against strongSwan in both roles, ours loaded by swanctl, through an SVTI.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
import pytest

from auth import GWA, GWB, Pki, Swanctl, explained, pem_configuration, their_connection, up_and_down
from iked import Iked
from strongswan import StrongSwan

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
        self.iked = Iked(g.gwa, pem_configuration()).start()
        self.swanctl = Swanctl(g, self.iked, self.pki)
        self.load(lefts, rights, password)
        theirs = their_connection(
            rounds("local", *rights), rounds("remote", *map(of_peer, [ANY_USER % "gwa" if "eap" in one else one for one in lefts])), secrets=SECRETS % "pass word"
        )
        self.swan = StrongSwan(g.gwb, theirs, charon_plugins=PLUGINS, files=self.pki.swan_files()).start()

    def load(self, lefts, rights, password="pass word"):
        peers = [ANY_USER % "gwb" if "eap" in one else of_peer(one) for one in rights]
        self.swanctl.load(rounds("local", *lefts), rounds("remote", *peers), SECRETS % password)


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

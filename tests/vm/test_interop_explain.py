# SPDX-License-Identifier: Apache-2.0
"""`ikectl explain` against strongSwan: pairs of configurations that do not fit, each begun from either side.

    gwa (svti-iked) ═══ wan ═══ gwb (strongSwan)

One life of both daemons serves all pairs: each loads its side of the next pair. As initiator we know what the peer notified, and no more:
the cause is then what that is about. As responder we have both sides.
"""
import json
import subprocess

import pytest

from iked import GCM_ESP, GCM_IKE, SECRET, Iked, configuration, site
from strongswan import StrongSwan, connection

CBC_IKE = ("enc-alg aes128-cbc", "auth-alg hmac-sha256", "dh-group curve25519")
CBC_ESP = ("enc-alg aes128-cbc", "auth-alg hmac-sha256")
SWAN_GCM, SWAN_CBC = "aes128gcm16-prfsha256-x25519", "aes128-sha256-x25519"

IKE, ESP, POLICY = "vpn site ike-policy ike-proposal", "vpn site ipsec-policy esp-proposal", "vpn site security-policy net"
# what we are told when we begin it: NO_PROPOSAL_CHOSEN, TS_UNACCEPTABLE, AUTHENTICATION_FAILED
REFUSED_IKE, REFUSED_ESP = ("ike-proposal", IKE), ("child-proposal", ESP)
REFUSED_TS, REFUSED_AUTH = ("traffic-selectors", POLICY), ("authentication", "vpn site local-id")


class Pair:
    """What is wrong between two sites that would fit otherwise, and what has to be said of it: (cause, leaf) when we initiate and when
    strongSwan does; None: that side has nothing to tell, or never asks.

    `ours`, `theirs`: replacements in the configuration texts; `swan`, `swan_esp`: strongSwan's proposals. Each pair has a VPN name of its own
    (`site` in what is expected), so that nothing is told of the pair before."""

    count = 0

    def __init__(self, name, initiator, responder, ike=GCM_IKE, esp=GCM_ESP, swan=SWAN_GCM, swan_esp="aes128gcm16", ours=(), theirs=(), rekey=False):
        self.name, self.rekey = name, rekey
        self.vpn = f"site{Pair.count}"
        Pair.count += 1
        self.expected = {
            role: said and (said[0], said[1].replace("site", self.vpn)) for role, said in (("initiator", initiator), ("responder", responder))
        }
        text = configuration(
            site(
                self.vpn, "192.0.2.1", "198.51.100.1", "secgwa.example", "secgwb.example", {"net": ("192.168.0.0/24", "192.168.99.0/24")},
                svti_id=None, ike=ike, esp=esp, ipsec_policy=("start-action none", "close-action none", "dpd-action clear"),
            ),
            options=("retransmit-tries 1", "retransmit-timeout 1.0"),
        )  # fmt: skip
        self.ours = self._replaced(text, ours)
        text = connection(
            "198.51.100.1", "192.0.2.1", "secgwb.example", "secgwa.example", "192.168.99.0/24", "192.168.0.0/24", swan, swan_esp, SECRET, svti_id=0
        )
        self.theirs = self._replaced(text, theirs)

    @staticmethod
    def _replaced(text, replacements):
        for before, after in replacements:
            assert before in text, before
            text = text.replace(before, after)
        return text


def ts(side, selector):
    """Puts a protocol or a port to strongSwan's selector."""
    return ((f"{side}_ts = 192.168.{99 if side == 'local' else 0}.0/24", f"{side}_ts = {selector}"),)


PAIRS = [
    # IKE_SA_INIT
    Pair("IKE encryption", REFUSED_IKE, ("ike-proposal", f"{IKE} 1 enc-alg"), CBC_IKE, swan="aes256-sha256-x25519"),
    Pair("IKE integrity", REFUSED_IKE, ("ike-proposal", f"{IKE} 1 auth-alg"), CBC_IKE, swan="aes128-sha512-prfsha256-x25519"),
    Pair("IKE integrity and PRF", REFUSED_IKE, ("ike-proposal", f"{IKE} 1 auth-alg"), CBC_IKE, swan="aes128-sha512-x25519"),
    Pair("IKE PRF", REFUSED_IKE, ("ike-proposal", f"{IKE} 1 prf-alg"), swan="aes128gcm16-prfsha512-x25519"),
    Pair("IKE group", REFUSED_IKE, ("ike-proposal", f"{IKE} 1 dh-group"), swan="aes128gcm16-prfsha256-ecp256"),
    Pair("IKE key length", REFUSED_IKE, ("ike-proposal", f"{IKE} 1 aead-alg"), swan="aes256gcm16-prfsha256-x25519"),
    Pair("IKE AEAD and CBC", REFUSED_IKE, ("ike-proposal", IKE), swan=SWAN_CBC),
    Pair("the closest of several", REFUSED_IKE, ("ike-proposal", f"{IKE} 1 dh-group"), swan="aes256-sha512-ecp384,aes128gcm16-prfsha256-ecp256"),
    Pair("IKE version", REFUSED_IKE, ("version", "vpn site version"), theirs=(("version = 2", "version = 1"),), swan=SWAN_CBC, ike=CBC_IKE),
    Pair("peer's address", REFUSED_IKE, None, theirs=(("remote_addrs = 192.0.2.1", "remote_addrs = 192.0.2.9"),)),
    Pair("our remote-address", None, ("no-vpn", "vpn site remote-address"), ours=(("remote-address 198.51.100.1", "remote-address 198.51.100.9"),)),
    # IKE_AUTH
    Pair("wrong key", REFUSED_AUTH, ("wrong-key", "pre-shared-key key-site secret"), theirs=((SECRET, "another-secret"),)),
    Pair("peer without a key", REFUSED_AUTH, None, theirs=((f"secret = {SECRET}", "secret = x"), ("id-1 = secgwa.example", "id-1 = nobody.example"))),
    Pair("no key here", ("no-key", "pre-shared-key"), ("no-key", "pre-shared-key"), ours=(("    id secgwb.example\n", "    id nobody.example\n"),)),
    Pair("who the peer is", REFUSED_AUTH, ("remote-id", "vpn site remote-id"), theirs=(("id = secgwb.example", "id = other.example"),)),
    Pair("who the peer expects", REFUSED_AUTH, ("local-id", "vpn site local-id"), theirs=(("= secgwa.example", "= other.example"),)),
    Pair("identity of another type", REFUSED_AUTH, ("remote-id", "vpn site remote-id"), theirs=(("id = secgwb.example", "id = gw@secgwb.example"),)),
    Pair(
        "the peer asks for a certificate", REFUSED_AUTH, ("authentication", "vpn site local-id"),
        theirs=(("auth = psk\n      id = secgwa.example", "auth = pubkey\n      id = secgwa.example"),),
    ),
    Pair(
        "the peer has a certificate", ("auth-method", "vpn site ike-policy remote-auth-method"), ("auth-method", "vpn site ike-policy remote-auth-method"),
        theirs=(("auth = psk\n      id = secgwb.example", "auth = pubkey\n      id = secgwb.example\n      certs = CERTIFICATE"),),
    ),
    # the CHILD SA of IKE_AUTH
    Pair("ESP encryption", REFUSED_ESP, ("child-proposal", f"{ESP} 1 enc-alg"), esp=CBC_ESP, swan_esp="aes256-sha256"),
    Pair("ESP integrity", REFUSED_ESP, ("child-proposal", f"{ESP} 1 auth-alg"), esp=CBC_ESP, swan_esp="aes128-sha512"),
    Pair("ESP key length", REFUSED_ESP, ("child-proposal", f"{ESP} 1 aead-alg"), swan_esp="aes256gcm16"),
    Pair("ESP AEAD and CBC", REFUSED_ESP, ("child-proposal", ESP), swan_esp="aes128-sha256"),
    Pair("ESP sequence numbers", REFUSED_ESP, ("child-proposal", f"{ESP} 1 esn"), swan_esp="aes128gcm16-esn"),
    Pair("peer's local subnet", REFUSED_TS, ("traffic-selectors", f"{POLICY} remote-ts subnet"), theirs=ts("local", "10.9.0.0/24")),
    Pair("peer's remote subnet", REFUSED_TS, ("traffic-selectors", f"{POLICY} local-ts subnet"), theirs=ts("remote", "10.8.0.0/24")),
    Pair(
        "protocol", REFUSED_TS, ("traffic-selectors", f"{POLICY} remote-ts protocol"),
        ours=(("remote-ts subnet", "remote-ts protocol 6 subnet"),), theirs=ts("local", "192.168.99.0/24[udp]"),
    ),
    Pair(
        "port", REFUSED_TS, ("traffic-selectors", f"{POLICY} remote-ts port"),
        ours=(("remote-ts subnet", "remote-ts protocol 6 port 443 subnet"),), theirs=ts("local", "192.168.99.0/24[tcp/80]"),
    ),
    # CREATE_CHILD_SA
    Pair("PFS group", ("pfs-group", f"{ESP} 1 dh-group"), ("pfs-group", f"{ESP} 1 dh-group"), esp=(*GCM_ESP, "dh-group curve25519"), swan_esp="aes128gcm16-ecp256", rekey=True),
]  # fmt: skip


class Sides:
    def __init__(self, gateways):
        (gateways.gwb.dir / "private").mkdir()
        self.certificate = gateways.gwb.dir / "gwb.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=secgwb.example"]
            + ["-addext", "subjectAltName=DNS:secgwb.example", "-keyout", gateways.gwb.dir / "private" / "gwb.pem", "-out", self.certificate],
            check=True,
            capture_output=True,
        )
        self.iked = Iked(gateways.gwa, PAIRS[0].ours).start()
        self.swan = StrongSwan(gateways.gwb, "", plugins="pem pkcs1 pkcs8 x509 pubkey").start()

    def load(self, pair):
        self.iked.load(pair.ours)
        self.swan.config.write_text(pair.theirs.replace("CERTIFICATE", str(self.certificate)))
        self.swan.swanctl("--load-all", "--file", str(self.swan.config))

    def explained(self, *vpn):
        return json.loads(self.iked.ctl("explain", *vpn, "--json").stdout)

    def begin(self, pair, role):
        if role == "initiator":
            return self.iked.ctl("initiate", pair.vpn, "net", check=False)
        return self.swan.swanctl("--initiate", "--child", "net", "--timeout", "6", check=False)

    def rekey(self, pair, role):
        if role == "initiator":
            self.iked.ctl("rekey", pair.vpn, "net")
        else:
            self.swan.swanctl("--rekey", "--child", "net")

    def clean(self, pair, cause):
        """No IKE SA on either side: where only the CHILD SA failed there is one, and what is not answered strongSwan sends again."""
        if cause in ("child-proposal", "traffic-selectors", "pfs-group"):
            self.iked.ctl("terminate", pair.vpn)
        elif cause == "version":
            self.swan.swanctl("--terminate", "--ike", "site", "--force", "--timeout", "2", check=False)


def judged(sides, pair, role):
    """What is wrong with the explanation of a pair in that role; None: nothing."""
    begun = sides.begin(pair, role)
    if pair.rekey:
        if begun.returncode != 0:
            return f"the CHILD SA does not come up: {begun.stdout}{begun.stderr}"
        sides.rekey(pair, role)
    cause, leaf = pair.expected[role]

    def wrong():
        failures = [one for one in sides.explained(pair.vpn) + sides.explained() if not one["succeeded"] and one["role"] == role]
        if not failures:
            return "explains nothing"
        first = failures[0]
        said = (first["cause"], first["advice"]["leaf"])
        if said != (cause, leaf):
            return f"says {said}, not {(cause, leaf)}: {first['reason']}: {first['advice']['text']}"
        if not first["advice"]["text"] or not first["reason"] or SECRET in json.dumps(first):
            return f"incomplete: {first}"
        if pair is not PAIRS[0]:
            return None
        text = sides.iked.ctl("explain", pair.vpn).stdout
        return None if f"failed: {cause}" in text and leaf in text else f"the text lacks {cause} or {leaf}:\n{text}"

    problem = wrong()
    for _ in range(5):
        if problem != "explains nothing":
            break
        problem = wrong()  # what strongSwan says after the answer is still under way
    return problem


@pytest.mark.limit(900)
def test_interop_explain_names_the_first_cause_and_the_leaf(gateways):
    sides = Sides(gateways)
    problems, counted = [], {"initiator": 0, "responder": 0}
    for pair in PAIRS:
        sides.load(pair)
        for role, expected in pair.expected.items():
            if expected is None:
                continue
            counted[role] += 1
            problem = judged(sides, pair, role)
            if problem:
                problems.append(f"{pair.name}, as {role}: {problem}")
            sides.clean(pair, expected[0])
    assert not problems, "\n".join(problems)
    assert counted["initiator"] >= 15 and counted["responder"] >= 15, counted


# where nobody speaks IKE: (address, what the wan does with it, cause, what came back of it)
NOBODY = {
    "a closed port": ("192.0.2.254", None, "no-answer", "192.0.2.254 answered: port unreachable"),
    "an address that nobody has": ("198.51.100.77", None, "no-answer", "192.0.2.254 answered: host unreachable"),
    "a filter that says so": ("203.0.113.1", "route add prohibit 203.0.113.1", "no-answer", "192.0.2.254 answered: administratively prohibited"),
    "silence": ("203.0.113.2", "route add blackhole 203.0.113.2", "no-answer", ""),
}


def test_interop_explain_tells_what_came_back_when_nobody_answers(gateways):
    iked = Iked(gateways.gwa, PAIRS[0].ours).start()
    for name, (address, command, cause, icmp) in NOBODY.items():
        if command:
            gateways.wan.ip(command)
        # an address without a host is found out after three seconds
        iked.load(PAIRS[0].ours.replace("198.51.100.1", address).replace("retransmit-timeout 1.0", f"retransmit-timeout {3.0 if 'nobody has' in name else 1.0}"))
        assert iked.initiate(PAIRS[0].vpn, "net", check=False).returncode != 0
        why = json.loads(iked.ctl("explain", PAIRS[0].vpn, "--json").stdout)[0]
        said = (why["cause"], why["sent"]["icmp"], why["advice"]["leaf"], why["sent"]["times"])
        assert said == (cause, icmp, f"vpn {PAIRS[0].vpn} remote-address", 2), f"{name}: {why}"
        text = iked.ctl("explain", PAIRS[0].vpn).stdout
        assert (f"ICMP: {icmp}" if icmp else "nothing came back") in text, text

# SPDX-License-Identifier: Apache-2.0
"""Peers whose certificates were revoked, told by a list from the web, from a directory, by an OCSP responder and by what the peer itself brings
along; servers that are dead or gone. The servers are on wan.

    clienta ─── gwa (svti-iked, svti100) ═══ wan (http, ldap, ocsp) ═══ gwb (strongSwan or svti-iked, svti100) ─── clientb
"""
import base64
import json
import pathlib
import re
import shutil
import socket
import subprocess

from auth import GWA, GWB, Pki, explained, methods, our_vpn, pem_configuration, their_connection
from iked import Iked, block, wait_clean, wait_tunnel
from lab import wait_until
from strongswan import StrongSwan

SERVER = "192.0.2.254"  # wan, as gwa sees it
METHODS = methods("certificate", "certificate")


def told(text, *leaves, name="gwa"):
    """Leaves of the certificate-authority entry in what `ikectl pki config` printed."""
    head = f"certificate-authority {name}-ca\n"
    assert head in text, text
    return text.replace(head, head + "".join(leaf + "\n" for leaf in leaves))


def revocation(policy):
    return our_vpn((*METHODS, f"revocation {policy}"))


def listens(host, address, port):
    def connects():
        with host.entered(), socket.socket() as one:
            return one.connect_ex((address, port)) == 0

    wait_until(connects, f"a server on port {port} of {host.name}", 60)


def web(g, folder, port=8080):
    server = g.wan.popen(["python3", "-u", "-m", "http.server", str(port), "--bind", SERVER, "--directory", folder], name=f"http{port}")
    listens(g.wan, SERVER, port)
    return server


def silent(g, port):
    """A server that takes connections and never says a word."""
    code = f"import socket\nfor s in [socket.create_server(('{SERVER}', {port}))]:\n held = []\n while True:\n  held.append(s.accept()); print('taken', flush=True)"
    server = g.wan.popen(["python3", "-u", "-c", code], name=f"silent{port}")
    wait_until(lambda: f":{port} " in g.wan.run("ss -Hltn").stdout, "the silent server", 60)
    return server


def responder(g, pki, revoked=(), port=8888, address=SERVER):
    """`openssl ocsp` with the authority's own key, over the certificates of both gateways."""
    lines = []
    for name in ("gwa", "gwb"):
        serial = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", pki.dir / f"{name}.pem"], capture_output=True, text=True, check=True)
        number = serial.stdout.strip().removeprefix("serial=")
        state = ("R", "340101000000Z\t200101000000Z") if name in revoked else ("V", "340101000000Z\t")
        lines.append(f"{state[0]}\t{state[1]}\t{number}\tunknown\t/CN={name}\n")
    index = pki.dir / f"index-{port}.txt"
    index.write_text("".join(lines))
    server = g.wan.popen(
        ["openssl", "ocsp", "-index", index, "-port", str(port), "-rsigner", pki.dir / "ca.pem", "-rkey", pki.dir / "ca.key", "-CA", pki.dir / "ca.pem", "-ignore_err"],
        name=f"ocsp{port}",
    )
    wait_until(lambda: f":{port} " in g.wan.run("ss -Hltn").stdout, "the responder", 60)
    return server


def directory(g, pki):
    """slapd with the authority's entry, which holds its list."""
    folder = g.wan.dir / "ldap"
    (folder / "db").mkdir(parents=True)
    der = subprocess.run(["openssl", "crl", "-in", pki.dir / "ca.crl", "-outform", "DER"], capture_output=True, check=True).stdout
    entries = ["dn: c=CH\nobjectClass: country\nc: CH\n", "dn: o=Example,c=CH\nobjectClass: organization\no: Example\n"]
    entries.append(
        "dn: cn=Example CA,o=Example,c=CH\nobjectClass: organizationalRole\nobjectClass: pkiCA\ncn: Example CA\n"
        f"certificateRevocationList;binary:: {base64.b64encode(der).decode()}\n"
    )
    (folder / "tree.ldif").write_text("\n".join(entries))
    (folder / "slapd.conf").write_text(
        f"include /etc/ldap/schema/core.schema\npidfile {folder}/pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
        f'database mdb\nsuffix "c=CH"\nmaxsize 10485760\ndirectory {folder}/db\n'
    )
    g.wan.run(["/usr/sbin/slapadd", "-f", folder / "slapd.conf", "-l", folder / "tree.ldif"])
    server = g.wan.popen(["/usr/sbin/slapd", "-d", "256", "-h", f"ldap://{SERVER}", "-f", folder / "slapd.conf"], name="slapd")
    listens(g.wan, SERVER, 389)
    return server


def refused(iked, swan, *words):
    assert swan.initiate("net", check=False).returncode != 0
    why = wait_until(
        lambda: (text := explained(iked)) and all(word in text for word in words) and text, f"an explanation with {words}; there is\n{explained(iked)}", 30
    )
    assert not iked.host.sas(), why
    return why


def accepted(g, iked, swan):
    swan.initiate("net")
    wait_tunnel(g.gwa, g.gwb)
    g.clienta.ping_ok("192.168.99.2")
    iked.terminate("site")
    wait_clean(g.gwa)
    swan.wait_no_sa()


def swan_of(g, pki):
    theirs = their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', f'auth = pubkey\n id = "{GWA}"')
    return StrongSwan(g.gwb, theirs, files=pki.swan_files()).start()


def crl(pki, *revoked):
    pki.run("crl", *revoked, "--ca", "ca.pem", "--ca-key", "ca.key", "--out", "ca.crl")


def serial_of(pki, name):
    return json.loads(pki.run("show", f"{name}.pem", "--json"))[0]["serial"]


def test_auth_revoked_by_lists_of_the_configuration_and_of_the_web(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    serial = serial_of(pki, "gwb")
    crl(pki, "gwb.pem")
    files = web(g, pki.dir)
    iked = Iked(g.gwa, pem_configuration(pki.config("gwa", "--crl", "ca.crl"), our_vpn())).start()
    swan = swan_of(g, pki)
    refused(iked, swan, "was revoked on", f"serial {serial}", "the revocation list")
    # from the web, in PEM and in DER
    iked.load(pem_configuration(told(pki.text, f"crl-uri http://{SERVER}:8080/ca.crl"), our_vpn()))
    refused(iked, swan, "was revoked on", f"serial {serial}", "Example CA")
    assert files.output().count("GET /ca.crl") == 1, files.output()
    refused(iked, swan, "was revoked on")
    assert files.output().count("GET /ca.crl") == 1, files.output()  # kept
    state = iked.ctl("show", "state").stdout
    assert f"http://{SERVER}:8080/ca.crl" in state and "next-update" in state and re.search(r"revoked 1\b", state), state
    subprocess.run(["openssl", "crl", "-in", pki.dir / "ca.crl", "-outform", "DER", "-out", pki.dir / "ca.der"], check=True)
    iked.load(pem_configuration(told(pki.text, f"crl-uri http://{SERVER}:8080/ca.der"), our_vpn()))
    refused(iked, swan, "was revoked on")
    assert files.output().count("GET /ca.der") == 1, files.output()


def test_auth_revoked_by_a_directory_and_by_an_ocsp_responder(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    serial = serial_of(pki, "gwb")
    crl(pki, "gwb.pem")
    # from a directory: the authority's own entry, as in the guide
    ldap = directory(g, pki)
    iked = Iked(g.gwa, pem_configuration(told(pki.text, f"crl-uri ldap://{SERVER}"), our_vpn())).start()
    swan = swan_of(g, pki)
    refused(iked, swan, "was revoked on", f"serial {serial}")
    assert re.search("SRCH base=.cn=example ca,o=example,c=ch", ldap.output(), re.IGNORECASE), ldap.output()
    # by a responder
    iked.swanctl("--flush-certs")
    ocsp = responder(g, pki, revoked=("gwb",))
    iked.load(pem_configuration(told(pki.text, f"ocsp-uri http://{SERVER}:8888/"), our_vpn()))
    refused(iked, swan, "was revoked on", f"serial {serial}", "says the OCSP responder")
    # by the one that its certificate names, which then finds nothing wrong
    ocsp.stop()
    pki.issue("gwb", "--key", "ecdsa-p256", "--ocsp-uri", f"http://{SERVER}:8889/", "--force")
    responder(g, pki, port=8889)
    swan.stop()
    swan = swan_of(g, pki)
    iked.load(pem_configuration(pki.text, revocation("strict")))
    accepted(g, iked, swan)


def test_auth_revocation_policy_and_a_dead_server(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    server = silent(g, 8081)
    # a second VPN, whose peer needs no certificate
    psk = block("pre-shared-key k", "id other.example", "secret 0seaJ31RfzHNRvUSH0oUYg7znTW0I=")
    text = our_vpn((*METHODS, "revocation ifuri"))
    other = text[text.index("vpn site") :].replace("vpn site", "vpn other").replace("198.51.100.1", "198.51.100.2").replace("192.168.99.0/24", "192.168.98.0/24")
    other = re.sub(r".*(auth-method|revocation|certificate ).*\n|.*remote-ca-certificate.*\n", "", other).replace("local-address", "remote-id other.example\n    local-address")
    iked = Iked(g.gwa, pem_configuration(pki.text, psk, revocation("ifuri"), other)).start()
    swan = swan_of(g, pki)
    # its certificate names nobody, and nobody is configured
    accepted(g, iked, swan)
    iked.load(pem_configuration(pki.text, revocation("strict")))
    refused(iked, swan, "is not known", "there is no revocation list of")
    # now it names a server, that is dead
    swan.stop()
    pki.issue("gwb", "--key", "ecdsa-p256", "--crl-uri", f"http://{SERVER}:8081/ca.crl", "--force")
    swan = swan_of(g, pki)
    iked.load(pem_configuration(pki.text, psk, revocation("ifuri"), other))
    g.gwb.ip("addr add 198.51.100.2/24 dev wan0")
    second = their_connection("auth = psk\n id = other.example", "auth = psk", us=("198.51.100.2", "192.168.98.0/24"))
    second = second.replace("site {", "other {").replace(" net {", " net2 {") + "secrets {\n ike-x {\n  id-1 = other.example\n  secret = 0seaJ31RfzHNRvUSH0oUYg7znTW0I=\n }\n}\n"
    swan.config.write_text(swan.config.read_text() + second)
    swan.swanctl("--load-all", "--file", str(swan.config))
    waits = g.gwa.popen(["ikectl", "--socket", iked.socket, "initiate", "site", "net"], name="waits")
    wait_until(lambda: "taken" in server.output(), "the server is asked", 60)
    iked.initiate("other", "net")
    assert waits.running, "the other VPN had to wait for the dead server:\n" + waits.output()
    wait_until(lambda: not waits.running, "the end of the wait", 60)
    assert waits.popen.returncode != 0
    assert "imed out" in explained(iked) or "no answer within" in explained(iked), explained(iked)
    iked.terminate("other")
    # relaxed: nothing is known against it. The server is left alone now, so nobody waits.
    iked.load(pem_configuration(pki.text, our_vpn()))
    accepted(g, iked, swan)
    assert server.output().count("taken") == 1, server.output()
    assert "last-failure" in iked.ctl("show", "state").stdout
    # a certificate does not send us to ourselves
    swan.stop()
    pki.issue("gwb", "--key", "ecdsa-p256", "--crl-uri", "http://127.0.0.1:8081/ca.crl", "--force")
    swan = swan_of(g, pki)
    iked.load(pem_configuration(pki.text, revocation("strict")))
    refused(iked, swan, "leads to an address of this host")


def test_auth_revocation_list_outlives_daemon_and_server(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    crl(pki)
    files = web(g, pki.dir)
    pki.issue("gwb", "--key", "ecdsa-p256", "--crl-uri", f"http://{SERVER}:8080/ca.crl", "--force")
    iked = Iked(g.gwa, pem_configuration(pki.text, revocation("strict"))).start()
    swan = swan_of(g, pki)
    # CVE-2022-40617: an authority that is not trusted sends us nowhere
    other = Pki(g.gwa.dir / "other", "ecdsa-p256")
    own = pki.text[pki.text.index("certificate gwa\n") :]
    iked.load(pem_configuration(other.text[: other.text.index("certificate gwa\n")], own, revocation("strict")))
    refused(iked, swan, "neither trusted nor among")
    assert "GET" not in files.output(), files.output()
    iked.load(pem_configuration(pki.text, revocation("strict")))
    accepted(g, iked, swan)
    assert files.output().count("GET /ca.crl") == 1, files.output()
    files.stop()
    iked.kill9()
    iked.start()
    accepted(g, iked, swan)
    kept = list((g.gwa.dir / "state" / "crl").iterdir())
    assert len(kept) == 1, kept
    # what is not as it was written is thrown away
    iked.stop()
    kept[0].write_bytes(kept[0].read_bytes()[:-1])
    iked.start()
    refused(iked, swan, "is not known")
    assert not kept[0].exists()
    iked.stop()


def test_auth_ocsp_stapled_in_ike(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    ocsp = responder(g, pki)
    g.wan.ip("addr add 203.0.113.1/32 dev lo")
    # gwa knows no responder: it takes what the peer brings along, or refuses it
    iked = Iked(g.gwa, pem_configuration(pki.text, revocation("strict"))).start()
    text = told(pki.config("gwb"), "ocsp-uri http://203.0.113.1:8888/", name="gwb")
    theirs = our_vpn(METHODS).replace("192.0.2.1", "X").replace("198.51.100.1", "192.0.2.1").replace("X", "198.51.100.1")
    theirs = theirs.replace("192.168.0.0/24", "X").replace("192.168.99.0/24", "192.168.0.0/24").replace("X", "192.168.99.0/24").replace("certificate gwa", "certificate gwb").replace("gwa-ca", "gwb-ca")
    peer = Iked(g.gwb, pem_configuration(text, theirs)).start()

    def up(who):
        who.initiate("site", "net")
        wait_tunnel(g.gwa, g.gwb)
        g.clienta.ping_ok("192.168.99.2")
        who.terminate("site")
        wait_clean(g.gwa)
        wait_clean(g.gwb)

    up(peer)  # in its request
    up(iked)  # in its response
    ocsp.stop()
    ocsp = responder(g, pki, revoked=("gwb",))
    peer.swanctl("--flush-certs")
    assert peer.initiate("site", "net", check=False).returncode != 0
    assert "says the OCSP responder" in explained(iked), explained(iked)
    # and without a responder it has nothing to show
    ocsp.stop()
    peer.swanctl("--flush-certs")
    assert peer.initiate("site", "net", check=False).returncode != 0
    assert "is not known" in explained(iked), explained(iked)
    iked.stop()
    peer.stop()


def test_auth_revocation_servers_are_asked_in_the_vrf_of_the_vpn(g):
    # the daemon's own namespace has no network at all; gwa is a VRF of it, with a hosts file of its own
    home = g.lab.host("home")
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    crl(pki)
    files = web(g, pki.dir)
    pki.issue("gwb", "--key", "ecdsa-p256", "--crl-uri", "http://crl.example:8080/ca.crl", "--force")
    own = pathlib.Path("/etc/netns/gwa")
    own.mkdir(parents=True)
    try:
        (own / "hosts").write_text(f"{SERVER} crl.example\n")
        iked = Iked(home, f"vrf gwa\n{pem_configuration(pki.text, revocation('strict'))}..\n").start()
        swan_of(g, pki).initiate("net")
    finally:
        shutil.rmtree(own)
    assert "GET /ca.crl" in files.output(), files.output()
    assert "last-failure" not in iked.ctl("show", "state", "--vrf", "gwa").stdout

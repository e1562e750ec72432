# SPDX-License-Identifier: Apache-2.0
"""Certificates by hash and URL (RFC 7296 3.6), against strongSwan in both roles. The server that has them is on wan.

    clienta ─── gwa (svti-iked, svti100) ═══ wan (http) ═══ gwb (strongSwan, svti100) ─── clientb
"""
import hashlib
import subprocess
import time

from auth import GWA, GWB, Pki, our_vpn, pem_configuration, their_connection, up_and_down
from iked import Iked
from strongswan import StrongSwan
from test_auth_revocation import SERVER, refused, silent, told, web

BASE = f"http://{SERVER}:8080/certs/"


def publish(pki):
    """Puts the certificates of both gateways where they are found by their SHA-1; the names of the files."""
    folder = pki.dir / "web" / "certs"
    folder.mkdir(parents=True)
    names = {}
    for name in ("gwa", "gwb"):
        der = subprocess.run(["openssl", "x509", "-in", pki.dir / f"{name}.pem", "-outform", "DER"], capture_output=True, check=True).stdout
        names[name] = hashlib.sha1(der).hexdigest()
        (folder / names[name]).write_bytes(der)
    return names


def swan_of(g, pki, base=BASE):
    theirs = their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', f'auth = pubkey\n id = "{GWA}"')
    theirs += f"\nauthorities {{\n  example {{\n    cacert = ca.pem\n    cert_uri_base = {base}\n  }}\n}}\n"
    return StrongSwan(g.gwb, theirs, "hash_and_url = yes", files=pki.swan_files(), charon_plugins="curl").start()


def ours(pki, base=BASE):
    return pem_configuration(told(pki.text, f"cert-uri-base {base}"), our_vpn())


def test_auth_hash_and_url_both_roles(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    files = publish(pki)
    server = web(g, pki.dir / "web")
    iked = Iked(g.gwa, ours(pki)).start()
    swan = swan_of(g, pki)
    for initiator in ("ours", "theirs"):
        up_and_down(g, iked, swan, initiator)
    log = server.output()
    assert log.count(f"GET /certs/{files['gwb']} ") == 1, log  # by us, once: then it is kept
    assert f"GET /certs/{files['gwa']} " in log, log  # by strongSwan
    assert BASE + files["gwb"] in iked.process.output(), iked.process.output()
    assert BASE + files["gwa"] in swan.process.output(), swan.process.output()[-3000:]


def test_auth_hash_and_url_elsewhere_not_found_and_a_dead_server(g):
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    files = publish(pki)
    server = web(g, pki.dir / "web")
    elsewhere = f"http://{SERVER}:8080/other/"
    iked = Iked(g.gwa, ours(pki)).start()
    swan = swan_of(g, pki, elsewhere)
    refused(iked, swan, "certificate-lookup", elsewhere, "is not the cert-uri-base of an authority of the VPN")
    assert "GET" not in server.output(), server.output()
    # where it may be, and is not
    iked.load(ours(pki, elsewhere))
    refused(iked, swan, "certificate-lookup", elsewhere + files["gwb"], "404")
    # where it may be, and what is there leads on: to a directory's own page, with this server
    (pki.dir / "web" / "other" / files["gwb"]).mkdir(parents=True)
    iked.swanctl("--flush-certs")
    refused(iked, swan, "certificate-lookup", elsewhere + files["gwb"], "status 301")
    assert server.output().count("GET") == 2, server.output()
    # where it may be, and nobody answers
    silent(g, 8081)
    dead = f"http://{SERVER}:8081/"
    iked.load(ours(pki, dead))
    swan.stop()
    swan = swan_of(g, pki, dead)
    begun = time.monotonic()
    refused(iked, swan, "certificate-lookup", dead + files["gwb"])
    assert time.monotonic() - begun < 40  # 5 s for the server, the rest is a slow machine

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes strongswan.json from a capture of two strongSwan charons and the log of the one that initiates.

    make_strongswan.py NAME:CAPTURE.pcap:CHARON.log:IKE_PROPOSAL ... > strongswan.json

How the capture was made: charon 5.9.8 of Debian 12 in two network namespaces, 192.0.2.1 and 192.0.2.2, with filelog at level 4 for
`ike` (which writes the keys), PSK "correct horse", identities gw1.example and gw2.example, selectors 10.N.0.0/16 and 2001:db8:N::/48,
ESP proposals aes256gcm16-curve25519 and aes128-sha256. Then `swanctl --initiate --child`, `--rekey --ike`, `--terminate --ike`.
The kernel of that machine had no ESP, so that the responder set up the IKE SA and answered TS_UNACCEPTABLE or NO_PROPOSAL_CHOSEN for
the CHILD SA. Needs tshark.
"""

import json
import re
import subprocess
import sys

KEYS = {"shared Diffie Hellman secret": "shared", "SKEYSEED": "skeyseed", "Sk_d secret": "sk_d", "Sk_ai secret": "sk_ai",
        "Sk_ar secret": "sk_ar", "Sk_ei secret": "sk_ei", "Sk_er secret": "sk_er", "Sk_pi secret": "sk_pi", "Sk_pr secret": "sk_pr"}


def key_sets(log):
    """one dictionary for each IKE SA, in order"""
    sets, name, size = [], None, 0
    for line in open(log, encoding="latin-1"):
        start = re.search(r"\[IKE\] (.*) => (\d+) bytes", line)
        if start:
            name, size = KEYS.get(start[1]), int(start[2])
            if name == "shared":
                sets.append({})
            if name:
                sets[-1][name] = ""
            continue
        octets = re.search(r"\[IKE\] +\d+: ((?:[0-9A-F]{2} )+)", line)
        if not octets:
            name = None
        elif name and len(sets[-1][name]) < 2 * size:
            sets[-1][name] += octets[1].replace(" ", "").lower()
    return [one for one in sets if "sk_d" in one]


def messages(capture):
    """UDP payloads; on port 4500 without the non-ESP marker; keepalives left out"""
    fields = subprocess.run(["tshark", "-r", capture, "-T", "fields", "-e", "udp.srcport", "-e", "udp.payload", "-Y", "isakmp"],
                            check=True, capture_output=True, text=True).stdout
    for line in fields.splitlines():
        port, payload = line.split("\t")
        yield payload[8:] if port == "4500" else payload


out = []
for argument in sys.argv[1:]:
    name, capture, log, proposal = argument.split(":")
    datagrams = list(messages(capture))
    spis = list(dict.fromkeys(datagram[:16] for datagram in datagrams))
    out.append({"name": name, "proposal": proposal, "psk": "correct horse", "messages": datagrams,
                "ike_sas": [{"spi_i": spi, **keys} for spi, keys in zip(spis, key_sets(log)[-len(spis):])]})
print(json.dumps(out, indent=1))

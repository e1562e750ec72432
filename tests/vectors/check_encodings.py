#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Has tshark read the messages of encoded.json, which tests/unit/wire/encoding_test.cpp compares with what our encoder makes.

Fails when tshark finds anything wrong (an expert item of level warning or error, or "malformed") or another number of payloads.
`check_encodings.py --show` prints its dissection. Needs tshark and text2pcap.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

messages = json.loads(pathlib.Path(__file__).with_name("encoded.json").read_text())
failures = 0
for name, digits in messages.items():
    octets = bytes.fromhex(digits)
    with tempfile.TemporaryDirectory() as folder:
        dump, capture = folder + "/dump", folder + "/capture"
        lines = [f"{at:06x} " + octets[at:at + 16].hex(" ") for at in range(0, len(octets), 16)]
        pathlib.Path(dump).write_text("\n".join(lines) + f"\n{len(octets):06x}\n")
        subprocess.run(["text2pcap", "-q", "-u", "500,500", dump, capture], check=True, stderr=subprocess.DEVNULL)
        tshark = lambda *more: subprocess.run(["tshark", "-r", capture, *more], check=True, capture_output=True, text=True).stdout
        if "--show" in sys.argv:
            print(tshark("-V", "-O", "isakmp"))
        text = tshark("-V", "-O", "isakmp")
        # levels: 0x00600000 warning, 0x00800000 error
        bad = tshark("-Y", "_ws.malformed || _ws.expert.severity >= 0x00600000 || !isakmp")
        good = not bad.strip() and f"Length: {len(octets)}" in text
    failures += not good
    print(f"{'ok    ' if good else 'FAILED'} {name}: {len(octets)} octets")
sys.exit(1 if failures or not messages else 0)

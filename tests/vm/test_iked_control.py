# SPDX-License-Identifier: Apache-2.0
"""A user's day with ikectl: what runs is shown, the log is followed, and what was set outlives the daemon.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (svti-iked, svti100) ─── clientb
"""
import json
import os
import re
import socket
import threading

import pytest

from iked import GCM_ESP, GCM_IKE, Iked, entries, esp_sas, pair, wait_tunnel
from lab import wait_until

VPN = "siteA-siteB"


@pytest.fixture
def tunnel(gateways):
    """(topology, gwa's daemon, its configuration text, the SPIs that must not change)"""
    gateways.svtis()
    a, b = pair(ike=GCM_IKE, esp=GCM_ESP)
    iked, _ = Iked(gateways.gwa, a).start(), Iked(gateways.gwb, b).start()
    iked.initiate()
    wait_tunnel(gateways.gwa, gateways.gwb)
    return gateways, iked, a, {sa["spi"] for sa in esp_sas(gateways.gwa)}


def test_iked_control_state_begins_with_the_applied_configuration(tunnel):
    _, iked, _, _ = tunnel
    text = iked.ctl("show", "state").stdout
    order = [text.index(f"\n    {part}") for part in (f"vpn {VPN}\n", "ike-sas\n", "task-processing\n", "counters\n", f"vpn-counters name {VPN}\n", "ike-sa unique-id")]
    assert order == sorted(order)
    assert "eaJ31RfzHNRvUSH0oUYg7znTW0I" not in text
    assert "eaJ31RfzHNRvUSH0oUYg7znTW0I" in iked.ctl("show", "state", "--secrets").stdout
    ike = iked.state()["ike"]
    # templates are folded in: the VPN has proposals of its own
    vpn = next(vpn for vpn in ike["vpn"] if vpn["name"] == VPN)
    assert "template" not in vpn["ike-policy"]
    assert vpn["ike-policy"]["ike-proposal"][0]["dh-group"] == ["curve25519"]
    assert ike["ike-sas"]["total"] == 1
    assert ike["task-processing"]["worker-threads"]["total"] >= 1
    child = next(entries(ike["ike-sa"], "child-sa"))
    assert child["svti-id-in"] == 100 and child["state"] == "installed"
    one = iked.ctl("show", "state", VPN).stdout
    assert one.startswith(f"ike\n    vpn {VPN}\n") and "ike-sas" not in one


def kernel_counts(host):
    """{SPI: (bytes, packets)} as `ip -s xfrm state` has them."""
    text = host.run("ip -s xfrm state").stdout
    pattern = r"proto esp spi 0x([0-9a-f]{8}).*?lifetime current:\s+(\d+)\(bytes\), (\d+)\(packets\)"
    return {spi: (int(octets), int(packets)) for spi, octets, packets in re.findall(pattern, text, re.DOTALL)}


def test_iked_control_counts_are_the_kernels(tunnel):
    g, iked, _, _ = tunnel
    g.clienta.ping_ok("192.168.99.2", count=5, size=300)
    g.clientb.ping_ok("192.168.0.2", count=3, size=1000)
    kernel = kernel_counts(g.gwa)
    (child,) = iked.children()
    counted = {leaf: int(child[leaf]) for leaf in ("bytes-in", "packets-in", "bytes-out", "packets-out")}  # strings: RFC 7951
    for way in ("in", "out"):
        assert (counted[f"bytes-{way}"], counted[f"packets-{way}"]) == kernel[child[f"spi-{way}"]]
        assert (counted[f"bytes-{way}"], counted[f"packets-{way}"]) == (5 * 328 + 3 * 1028, 8)
    assert 0 <= child["installed-time"] < 600 and 3000 < child["rekey-time"] <= 3600 < child["life-time"] <= 4000
    # in the text, of one VPN, and over VICI as swanctl shows it
    text = iked.ctl("show", "state", VPN).stdout
    assert f"            bytes-in {child['bytes-in']}\n            packets-in 8\n" in text
    listed = iked.swanctl("--list-sas").stdout
    spi = child["spi-in"]
    assert re.search(rf"in  {spi} \(-\|0x00000064\), +{child['bytes-in']} bytes, +8 packets", listed), listed
    iked.ctl("rekey", VPN, "trunk")
    wait_until(lambda: [one for one in iked.children() if one["state"] == "installed" and one["packets-in"] == "0"], "a new CHILD SA counts from 0", 30, interval=1)


def test_iked_control_the_log_is_filtered(tunnel):
    g, iked, _, _ = tunnel
    command = ["ikectl", "--socket", iked.socket, "log"]
    wanted = g.gwa.popen([*command, "--vpn", VPN, "--level", "2", "--json"], name="log-vpn")
    other = g.gwa.popen([*command, "--vpn", "nowhere"], name="log-other")
    only = g.gwa.popen([*command, "--subsystem", "asn1"], name="log-asn1")

    def followed():
        iked.ctl("rekey", VPN, "trunk")
        return any(wanted.output().splitlines())

    wait_until(followed, "lines about the VPN are followed", 60, interval=1)
    for line in wanted.output().splitlines():
        assert json.loads(line)["vpn"] == VPN
    assert other.output() == "" and only.output() == ""


class Syslog:
    """/dev/log of the machine the test runs in, which has no other syslog daemon."""

    def __init__(self):
        assert not os.path.lexists("/dev/log"), "a syslog daemon runs here"
        self.lines = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                self.lines.append(self.socket.recv(65536).decode(errors="replace"))
            except OSError:
                return

    def close(self):
        os.unlink("/dev/log")
        self.socket.close()


def test_iked_control_logging_levels_change_live(gateways):
    syslog = Syslog()
    try:
        gateways.svtis()
        a, b = pair(ike=GCM_IKE, esp=GCM_ESP)
        iked, _ = Iked(gateways.gwa, a).start(), Iked(gateways.gwb, b).start()
        iked.ctl("set", "logging", "authpriv", "ike", "2")
        iked.initiate()
        # authpriv (10) and daemon (3), both at severity notice (5)
        wait_until(lambda: any(line.startswith("<85>") and "ike: " in line for line in syslog.lines), "lines at authpriv", 60, interval=0.5)
        assert not any(line.startswith("<85>") and "network: " in line for line in syslog.lines)
        assert all(line.startswith(("<29>", "<85>")) for line in syslog.lines), syslog.lines[:5]
        iked.ctl("set", "logging", "authpriv", "ike", "disable")
        del syslog.lines[:]
        iked.ctl("rekey", VPN, "trunk")
        assert not any(line.startswith("<85>") for line in syslog.lines)
    finally:
        syslog.close()


def test_iked_control_what_was_set_survives_a_restart(gateways):
    gateways.svtis()
    a, _ = pair(ike=GCM_IKE, esp=GCM_ESP)
    iked = Iked(gateways.gwa, a).start()
    iked.ctl("set", "vpn", VPN, "ike-policy", "dpd-delay", "45s")
    shown = iked.ctl("show", "config", "--secrets").stdout
    iked.stop()
    iked.start()
    assert iked.ctl("show", "config", "--secrets").stdout == shown
    assert iked.ctl("show", "config", "vpn", VPN, "ike-policy", "dpd-delay").stdout.strip() == "dpd-delay 45s"

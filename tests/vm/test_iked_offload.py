# SPDX-License-Identifier: Apache-2.0
"""ESP offload to devices of tests/vm/espnic, which encrypt and decrypt for gwa; gwb does it in software:

    gwa (svti-iked, svti100) ─ nic0 on wan0 ─── 192.0.2.0/24 ──── wan0 ─ gwb (svti-iked, svti100)
                             └ nic1 on wan1 ─── a second cable ── wan1 ┘
"""
import contextlib
import json

import pytest

import nic
from iked import GCM_ESP, GCM_IKE, Iked, esp_sas, pair, wait_tunnel
from lab import wait_until
from nic import counted, fault

DEVICES = {"nic0": "wan0", "nic1": "wan1"}


@pytest.fixture
def nics():
    nic.load()
    yield
    nic.load()


@pytest.fixture
def v(lab, nics):
    gwa, gwb = lab.host("gwa"), lab.host("gwb")
    for wan in DEVICES.values():
        lab.link(gwa, wan, gwb, wan)
        gwa.ip(f"link set {wan} up")
        gwb.ip(f"link set {wan} up")
    for dev, wan in DEVICES.items():
        gwa.ip(f"link add {dev} link {wan} type espnic", f"link set {dev} up")
    gwa.ip("addr add 192.0.2.1/24 dev nic0")
    gwb.addr("wan0", "192.0.2.2/24")
    for host, here, there in ((gwa, "192.168.0.1", "192.168.99.0/24"), (gwb, "192.168.99.1", "192.168.0.0/24")):
        host.svti("svti100", 100)
        host.ip(f"addr add {here}/32 dev svti100", f"route add {there} dev svti100 src {here}")
    return gwa, gwb


def start(v, offload, esp=GCM_ESP, start_action="none"):
    """Both daemons, gwa's with `hw-offload`; the tunnel is there. Returns gwa's."""
    gwa, gwb = v
    a, b = pair(
        b="192.0.2.2",
        ike=GCM_IKE,
        esp=esp,
        options=("install-routes false",),
        ipsec_policy=("close-action none", "dpd-action clear"),
    )
    a = a.replace("start-action none", f"hw-offload {offload}\nstart-action {start_action}")
    Iked(gwb, b).start()
    iked = Iked(gwa, a).start()
    return iked


def offload(iked):
    """(offload, offload-device, offload-reason) of the CHILD SA that sends."""
    child = max(iked.children(), key=lambda one: one["unique-id"])
    return child.get("offload"), child.get("offload-device"), child.get("offload-reason")


def wait_offload(iked, wanted, device=None, timeout=90):
    def seen():
        with contextlib.suppress(ValueError):
            return offload(iked)[:2] == (wanted, device)

    wait_until(seen, f"offload {wanted} by {device}", timeout, interval=0.5)


def ping(v, count=3):
    v[0].ping_ok("192.168.99.1", count=count, source="192.168.0.1")


def test_iked_offload_is_taken_and_shown(v):
    gwa, gwb = v
    iked = start(v, "crypto")
    capture = gwa.capture("wan0")
    iked.initiate()
    wait_tunnel(gwa, gwb)
    assert offload(iked) == ("crypto", "nic0", None)
    before = counted("encrypted"), counted("decrypted")
    ping(v)
    gwa.ping_ok("192.168.99.1", count=2, size=3000, source="192.168.0.1")  # several packets each
    assert counted("encrypted") >= before[0] + 5 and counted("decrypted") >= before[1] + 5
    capture.assert_only_ike_and_esp(("192.168.0.1", "192.168.99.1"))
    assert gwa.run("ip xfrm state").stdout.count("crypto offload parameters: dev nic0") == 2
    shown = json.loads(gwa.run("svtictl --json offload").stdout)
    assert {device["name"]: device["esp-hw-offload"] for device in shown["device"]} == {"nic0": True, "nic1": True}
    assert {(sa["offload"], sa["offload-device"], sa["direction"]) for sa in shown["sa"]} == {("crypto", "nic0", "in"), ("crypto", "nic0", "out")}
    assert "offload none" in gwb.run("svtictl offload").stdout
    # the module's own short way sends it, not the kernel's lookup
    assert [sa["lookup"] for sa in json.loads(gwa.run("svtictl --json sad svti100").stdout) if sa["direction"] == "out"] == ["short"]
    # A rekey asks for it anew, and the old SAs make room.
    old = {sa["spi"] for sa in esp_sas(gwa)}
    iked.rekey_child()
    wait_until(lambda: len(esp_sas(gwa)) == 2 and not old & {sa["spi"] for sa in esp_sas(gwa)}, "the old SAs are gone", 60)
    assert offload(iked) == ("crypto", "nic0", None)
    ping(v)


@pytest.mark.parametrize("errno, reason", [(12, "nic0: "), (95, "nic0 does not support it")])
def test_iked_offload_auto_goes_on_in_software_and_says_why(v, errno, reason):
    gwa, gwb = v
    iked = start(v, "auto")
    fault("refuse", errno)
    iked.initiate()
    wait_tunnel(gwa, gwb)
    before = counted("encrypted")
    what, device, why = offload(iked)
    assert (what, device) == ("none", None) and why.startswith(reason), why
    ping(v)
    assert counted("encrypted") == before
    # The device takes SAs again: with the next rekey it has them.
    fault("refuse", 0)
    iked.rekey_child()
    wait_offload(iked, "crypto", "nic0")
    ping(v)


@pytest.mark.parametrize("errno", [12, 95])
def test_iked_offload_crypto_that_is_refused_fails_and_says_why(v, errno):
    gwa, _ = v
    iked = start(v, "crypto")
    fault("refuse", errno)
    iked.initiate(check=False)
    wait_until(lambda: "not offloaded: nic0" in iked.process.output(), "the log says why", 30)
    wait_until(lambda: not iked.children(), "no CHILD SA is left", 60, interval=0.5)
    assert "not offloaded: nic0" in iked.ctl("explain", "siteA-siteB", check=False).stdout
    assert not esp_sas(gwa)


def test_iked_offload_without_room_for_both_directions(v):
    gwa, gwb = v
    iked = start(v, "auto")
    fault("room", 1)
    iked.initiate()
    wait_tunnel(gwa, gwb)
    what, device, why = offload(iked)
    assert (what, device) == ("none", None) and "outbound: nic0: " in why, why
    ping(v)
    assert gwa.run("ip xfrm state").stdout.count("crypto offload parameters: dev nic0") == 1


def test_iked_offload_device_goes_down_and_comes_back(v):
    gwa, gwb = v
    iked = start(v, "auto")
    iked.initiate()
    wait_tunnel(gwa, gwb)
    assert offload(iked)[0] == "crypto"
    lost = {sa["spi"] for sa in esp_sas(gwa)}
    gwa.ip("link set nic0 down")
    wait_until(lambda: not lost & {sa["spi"] for sa in esp_sas(gwa)}, "the kernel removed the SAs of the device", 30)
    # ... and the SVTI has none of them.
    assert not any(f"{spi:08x}" in gwa.run("svtictl sad svti100").stdout for spi in lost)
    gwa.ip("link set nic0 up")
    wait_offload(iked, "crypto", "nic0")
    gwa.ping_until("192.168.99.1", source="192.168.0.1")
    assert len(iked.ike_sas()) == 1  # the IKE SA is still the first
    assert iked.ike_sas()[0]["unique-id"] == 1


def test_iked_offload_device_vanishes_under_traffic(v):
    gwa, gwb = v
    iked = start(v, "auto")
    iked.initiate()
    wait_tunnel(gwa, gwb)
    traffic = gwa.ping_background("192.168.99.1", more="-I 192.168.0.1")
    traffic.wait_received(3)
    gwa.ip("link del nic0", "addr add 192.0.2.1/24 dev wan0")
    traffic.wait_received(5, timeout=90)
    wait_until(lambda: offload(iked)[2] and "wan0 has no esp-hw-offload" in offload(iked)[2], "in software now", 60, interval=0.5)
    assert iked.ike_sas()[0]["unique-id"] == 1
    traffic.finish()


def test_iked_offload_follows_the_route(v):
    gwa, gwb = v
    iked = start(v, "auto")
    iked.initiate()
    wait_tunnel(gwa, gwb)
    assert offload(iked)[:2] == ("crypto", "nic0")
    traffic = gwa.ping_background("192.168.99.1", more="-I 192.168.0.1")
    traffic.wait_received(3)
    gwa.ip("route add 192.0.2.2/32 dev nic1 src 192.0.2.1")
    gwb.ip("route add 192.0.2.1/32 dev wan1 src 192.0.2.2")
    wait_offload(iked, "crypto", "nic1")
    traffic.wait_received(5)
    gwa.ip("route del 192.0.2.2/32")
    wait_offload(iked, "crypto", "nic0")
    traffic.finish()

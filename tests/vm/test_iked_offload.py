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
    inside(gwa, gwb)
    return gwa, gwb


def inside(gwa, gwb):
    for host, here, there in ((gwa, "192.168.0.1", "192.168.99.0/24"), (gwb, "192.168.99.1", "192.168.0.0/24")):
        host.svti("svti100", 100)
        host.ip(f"addr add {here}/32 dev svti100", f"route add {there} dev svti100 src {here}")


def start(v, offload, esp=GCM_ESP, start_action="none", ends=("192.0.2.1", "192.0.2.2"), moves=False):
    """Both daemons, gwa's with `hw-offload`; the tunnel is there. `moves`: gwa's address may change. Returns gwa's."""
    gwa, gwb = v
    a, b = pair(
        a=ends[0],
        b=ends[1],
        remote_b=not moves,
        ike_policy=("mobike true",) if moves else (),
        ike=GCM_IKE,
        esp=esp,
        options=("install-routes false",),
        ipsec_policy=("close-action none", "dpd-action clear"),
    )
    a = a.replace("start-action none", f"hw-offload {offload}\nstart-action {start_action}")
    if moves:
        a = a.replace(f"local-address {ends[0]}\n", "\n")
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


def test_iked_offload_over_ipv6(v):
    gwa, gwb = v
    gwa.ip("addr add 2001:db8::1/64 dev nic0 nodad")
    gwb.ip("addr add 2001:db8::2/64 dev wan0 nodad")
    iked = start(v, "crypto", ends=("2001:db8::1", "2001:db8::2"))
    capture = gwa.capture("wan0")
    iked.initiate()
    wait_tunnel(gwa, gwb)
    assert offload(iked) == ("crypto", "nic0", None)
    before = counted("encrypted"), counted("decrypted")
    ping(v)
    gwa.ping_ok("192.168.99.1", count=2, size=3000, source="192.168.0.1")
    assert counted("encrypted") >= before[0] + 5 and counted("decrypted") >= before[1] + 5
    capture.assert_only_ike_and_esp(("192.168.0.1", "192.168.99.1"))
    iked.rekey_child()
    wait_offload(iked, "crypto", "nic0")
    ping(v)


def test_iked_offload_through_a_nat(lab, nics):
    """ESP in UDP (RFC 3948): the device encrypts where the kernel lets it, 6.12. What it decrypts would not pass by the socket of IKE."""
    gwa, nat, gwb = lab.host("gwa"), lab.host("nat"), lab.host("gwb")
    lab.link(gwa, "wan0", nat, "toa")
    lab.link(gwb, "wan0", nat, "tob")
    gwa.ip("link add nic0 link wan0 type espnic", "link set nic0 up", "addr add 192.0.2.1/24 dev nic0", "route add default via 192.0.2.254")
    nat.forward()
    nat.addr("toa", "192.0.2.254/24")
    nat.addr("tob", "198.51.100.254/24")
    gwb.addr("wan0", "198.51.100.1/24")
    nat.run("nft -f -", input="table ip nat {\n chain out {\n type nat hook postrouting priority srcnat;\n oifname tob masquerade\n }\n }\n")
    inside(gwa, gwb)
    v = gwa, gwb
    iked = start(v, "auto", ends=("192.0.2.1", "198.51.100.1"), moves=True)
    capture = nat.capture("tob")
    iked.initiate()
    wait_tunnel(gwa, gwb)
    assert all("encap type espinudp" in sa["text"] for sa in esp_sas(gwa))
    before = counted("encrypted"), counted("decrypted")
    ping(v)
    what, device, why = offload(iked)
    assert (what, device) == ("none", None) and "of ESP in UDP Linux lets nothing through" in why, why
    assert (counted("encrypted") >= before[0] + 3) == (nic.kernel() >= (6, 12))
    assert counted("decrypted") == before[1]
    capture.assert_only_ike_and_esp(("192.168.0.1", "192.168.99.1"))


def test_iked_offload_moves_with_mobike(v):
    """gwa's address is another one, on the other device, then on the same (RFC 4555): both SAs go there, and the device does them."""
    gwa, gwb = v
    gwa.ip("addr add 203.0.113.1/24 dev nic1")
    gwb.ip("addr add 203.0.113.2/24 dev wan1")
    iked = start(v, "auto", moves=True)
    capture = gwa.capture("wan1")
    iked.initiate()
    wait_tunnel(gwa, gwb)
    assert offload(iked)[:2] == ("crypto", "nic0")
    traffic = gwa.ping_background("192.168.99.1", more="-I 192.168.0.1")
    traffic.wait_received(3)
    gwa.ip("route add 192.0.2.2/32 via 203.0.113.2 dev nic1 src 203.0.113.1", "addr del 192.0.2.1/24 dev nic0")
    wait_until(lambda: {a for sa in esp_sas(gwa) for a in (sa["src"], sa["dst"])} == {"203.0.113.1", "192.0.2.2"}, "the SAs have moved", 90, interval=0.5)
    wait_offload(iked, "crypto", "nic1")
    before = counted("encrypted")
    traffic.wait_received(5)
    assert counted("encrypted") >= before + 5
    # another address of the same device
    gwa.ip("addr add 203.0.113.9/32 dev nic1", "route replace 192.0.2.2/32 via 203.0.113.2 dev nic1 onlink src 203.0.113.9", "addr del 203.0.113.1/24 dev nic1")
    wait_until(lambda: {a for sa in esp_sas(gwa) for a in (sa["src"], sa["dst"])} == {"203.0.113.9", "192.0.2.2"}, "the SAs have moved again", 90, interval=0.5)
    wait_offload(iked, "crypto", "nic1")
    before = counted("encrypted")
    traffic.wait_received(5)
    assert counted("encrypted") >= before + 5
    assert iked.ike_sas()[0]["unique-id"] == 1
    traffic.finish()
    capture.assert_only_ike_and_esp(("192.168.0.1", "192.168.99.1"))


def test_iked_offload_below_a_bond(lab, nics):
    """The kernel gives the SAs of a bond to the device that is active, and to the next when that one fails; 6.12 only."""
    gwa, switch, gwb = lab.host("gwa"), lab.host("switch"), lab.host("gwb")
    switch.ip("link add br0 type bridge", "link set br0 up")
    lab.link(gwb, "wan0", switch, "tob")
    gwa.ip("link add bond0 type bond mode active-backup miimon 50")
    for n in (0, 1):
        lab.link(gwa, f"wan{n}", switch, f"toa{n}")
        gwa.ip(f"link add nic{n} link wan{n} type espnic", f"link set nic{n} master bond0")
    switch.ip(*(f"link set {port} master br0" for port in ("toa0", "toa1", "tob")))
    gwa.ip("link set bond0 up", "link set nic0 up", "link set nic1 up")
    gwa.addr("bond0", "192.0.2.1/24")
    gwb.addr("wan0", "192.0.2.2/24")
    inside(gwa, gwb)
    v = gwa, gwb
    iked = start(v, "auto")
    capture = switch.capture("tob")
    iked.initiate()
    wait_tunnel(gwa, gwb)
    ping(v)
    if nic.kernel() < (6, 12):
        what, device, why = offload(iked)
        assert (what, device) == ("none", None) and "bond0 " in why, why  # it has no such feature there
        return
    assert offload(iked) == ("crypto", "bond0", None)
    spis = {sa["spi"] for sa in esp_sas(gwa)}
    traffic = gwa.ping_background("192.168.99.1", more="-I 192.168.0.1")
    traffic.wait_received(3)
    before = counted("encrypted"), counted("decrypted")
    for active, failed in ((1, 0), (0, 1)):
        gwa.ip(f"link set nic{active} up")
        wait_until(lambda n=active: f"nic{n}" in gwa.run("ip -o link show master bond0 up").stdout, "the other device is there", 30)
        gwa.ip(f"link set nic{failed} down")
        traffic.wait_received(5)
    assert counted("encrypted") > before[0] and counted("decrypted") > before[1]
    assert offload(iked) == ("crypto", "bond0", None)
    assert {sa["spi"] for sa in esp_sas(gwa)} == spis
    traffic.finish()
    capture.assert_only_ike_and_esp(("192.168.0.1", "192.168.99.1"))
    iked.rekey_child()
    wait_until(lambda: not spis & {sa["spi"] for sa in esp_sas(gwa)}, "the old SAs are gone", 60)
    assert offload(iked) == ("crypto", "bond0", None)
    ping(v)

# SPDX-License-Identifier: Apache-2.0
"""One daemon, two VRFs, and a configuration that outlives the daemon.

    gwa  (VRF main, svti-iked, svti100) ─── 192.0.2.0/24 ─── gwb (svti-iked, svti100)
    blue (VRF blue of the same daemon)  ─── 203.0.113.0/24 ─── red (svti-iked, svti200)
      └ inner: a namespace of its own with svti200, whose link namespace is blue
"""
import pytest

from iked import GCM_ESP, GCM_IKE, Iked, block, configuration, esp_sas, site, wait_tunnel
from lab import wait_until

IDS = ("here.example", "there.example")
ALGORITHMS = {"ike": GCM_IKE, "esp": GCM_ESP, "ipsec_policy": ("start-action none", "close-action none", "dpd-action clear")}


def ends(name, here, there, here_net, there_net, svti_id):
    """The sites of both ends of a VPN."""
    one = site(name, here, there, *IDS, {"net": (here_net, there_net)}, svti_id=svti_id, **ALGORITHMS)
    other = site(name, there, here, *IDS[::-1], {"net": (there_net, here_net)}, svti_id=svti_id, **ALGORITHMS)
    return one, other


@pytest.fixture
def v(lab):
    hosts = {name: lab.host(name) for name in ("gwa", "gwb", "blue", "red", "inner")}
    lab.link(hosts["gwa"], "wan0", hosts["gwb"], "wan0")
    lab.link(hosts["blue"], "wan0", hosts["red"], "wan0")
    for name, address in (("gwa", "192.0.2.1"), ("gwb", "192.0.2.2"), ("blue", "203.0.113.1"), ("red", "203.0.113.2")):
        hosts[name].addr("wan0", f"{address}/24")
    hosts["gwa"].svti("svti100", 100)
    hosts["gwb"].svti("svti100", 100)
    hosts["inner"].svti("svti200", 200, link_netns="blue")
    hosts["red"].svti("svti200", 200)
    for name, dev, address, net in (
        ("gwa", "svti100", "10.1.0.1", "10.2.0.0/24"),
        ("gwb", "svti100", "10.2.0.1", "10.1.0.0/24"),
        ("inner", "svti200", "10.3.0.1", "10.4.0.0/24"),
        ("red", "svti200", "10.4.0.1", "10.3.0.0/24"),
    ):
        hosts[name].ip(f"addr add {address}/32 dev {dev}", f"route add {net} dev {dev} src {address}")
    return hosts


def texts():
    """Configurations: of the daemon with both VRFs, of gwb, of red."""
    main, gwb = ends("plain", "192.0.2.1", "192.0.2.2", "10.1.0.0/24", "10.2.0.0/24", 100)
    blue, red = ends("crossed", "203.0.113.1", "203.0.113.2", "10.3.0.0/24", "10.4.0.0/24", 200)
    none = ("install-routes false",)
    both = block("vrf main", configuration(main, options=none)) + "\n" + block("vrf blue", configuration(blue, options=none)) + "\n"
    return both, configuration(gwb, options=none), configuration(red, options=none)


def test_iked_vrf_two_in_one_daemon(v):
    both, gwb, red = texts()
    Iked(v["gwa"], both).start()
    far_main, far_blue = Iked(v["gwb"], gwb).start(), Iked(v["red"], red).start()
    far_main.initiate("plain", "net")
    far_blue.initiate("crossed", "net")
    wait_tunnel(v["gwa"], v["blue"])
    v["gwa"].ping_ok("10.2.0.1", source="10.1.0.1")
    v["inner"].ping_ok("10.4.0.1", source="10.3.0.1")
    # each has its SAs in its own namespace, and the SVTI's namespace has none
    assert {sa["if_id"] for sa in esp_sas(v["gwa"])} == {100}
    assert {sa["if_id"] for sa in esp_sas(v["blue"])} == {200}
    assert esp_sas(v["inner"]) == []


def test_iked_vrf_goes_with_the_configuration_and_leaves_the_other_alone(v):
    both, gwb, red = texts()
    iked = Iked(v["gwa"], both).start()
    far_main, far_blue = Iked(v["gwb"], gwb).start(), Iked(v["red"], red).start()
    far_main.initiate("plain", "net")
    far_blue.initiate("crossed", "net")
    wait_tunnel(v["gwa"], v["blue"])
    spis = {sa["spi"] for sa in esp_sas(v["gwa"])}
    iked.load(both[: both.index("vrf blue")])
    wait_until(lambda: not esp_sas(v["blue"]) and not esp_sas(v["red"]), "VRF blue is empty", 60)
    assert {sa["spi"] for sa in esp_sas(v["gwa"])} == spis
    v["gwa"].ping_ok("10.2.0.1", source="10.1.0.1")


def test_iked_running_configuration_outlives_the_daemon(v):
    both, _, _ = texts()
    iked = Iked(v["gwa"], both).start()
    other = v["gwa"].dir / "other.conf"
    other.write_text(both.replace("plain", "renamed"))
    iked.ctl("load", other)
    shown = iked.ctl("show", "config").stdout
    assert "vpn renamed" in shown
    iked.kill9()
    iked.start()
    assert iked.ctl("show", "config").stdout == shown
    # a startup file that was edited meanwhile is what its editor wants
    iked.stop()
    iked.file.write_text(both.replace("plain", "edited"))
    iked.start()
    assert "vpn edited" in iked.ctl("show", "config").stdout

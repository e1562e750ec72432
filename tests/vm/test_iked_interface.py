# SPDX-License-Identifier: Apache-2.0
"""SVTIs that the daemon makes from its configuration, in its own VRF and outside the VRF of their VPN.

    gwa  (svti-iked; svti100 in VRF main) ─── 192.0.2.0/24 ─── gwb (svti-iked, svti100 made by hand)
      └ inner: VRF inner with svti200, whose link-vrf is main: both tunnels leave gwa through wan0
"""
import json

import pytest

from iked import GCM_ESP, GCM_IKE, Iked, block, configuration, site, wait_tunnel
from lab import wait_until

ALGORITHMS = {"ike": GCM_IKE, "esp": GCM_ESP, "ipsec_policy": ("start-action none", "close-action none", "dpd-action clear")}
NETS = {"plain": (100, "10.1.0.0/24", "10.2.0.0/24"), "crossed": (200, "10.3.0.0/24", "10.4.0.0/24")}


def interface(name, svti_id, *leaves):
    return block(f"svti {name}", f"svti-id {svti_id}", *leaves)


MAIN = interface("svti100", 100, "mtu 1400", 'description "to gwb"', "ipv4 address 10.1.0.1/32", "ipv6 address fd00:1::1/128")
INNER = interface("svti200", 200, "link-vrf main", "link-interface wan0", "ipv4 address 10.3.0.1/32")


def text(main=MAIN, inner=INNER):
    """The configuration of gwa."""
    policies = [site(name, "192.0.2.1", "192.0.2.2", f"{name}.here.example", f"{name}.there.example", {"net": (here, there)}, svti_id=svti_id, **ALGORITHMS) for name, (svti_id, here, there) in NETS.items()]
    ike = configuration(*policies, options=("install-routes false",))
    vrfs = block("vrf main", ike, block("interface", main) if main else "") + "\n"
    return vrfs + (block("vrf inner", block("interface", inner)) + "\n" if inner else "")


@pytest.fixture
def v(lab):
    hosts = {name: lab.host(name) for name in ("gwa", "gwb", "inner")}
    lab.link(hosts["gwa"], "wan0", hosts["gwb"], "wan0")
    for name, address in (("gwa", "192.0.2.1"), ("gwb", "192.0.2.2")):
        hosts[name].addr("wan0", f"{address}/24")
    gwb = [site(name, "192.0.2.2", "192.0.2.1", f"{name}.there.example", f"{name}.here.example", {"net": (there, here)}, svti_id=svti_id, **ALGORITHMS) for name, (svti_id, here, there) in NETS.items()]
    for svti_id, net, address in ((100, "10.1.0.0/24", "10.2.0.1"), (200, "10.3.0.0/24", "10.4.0.1")):
        hosts["gwb"].svti(f"svti{svti_id}", svti_id)
        hosts["gwb"].ip(f"addr add {address}/32 dev svti{svti_id}", f"route add {net} dev svti{svti_id} src {address}")
    Iked(hosts["gwb"], configuration(*gwb, options=("install-routes false",))).start()
    return hosts


def link(host, name):
    """`ip -d addr show` of an interface, parsed; None when it is not there."""
    shown = host.run(["ip", "-d", "-j", "addr", "show", "dev", name], check=False)
    return json.loads(shown.stdout)[0] if shown.returncode == 0 else None


def addresses(of):
    return {f"{one['local']}/{one['prefixlen']}" for one in of["addr_info"] if one["scope"] != "link"}


def test_iked_interface_is_made_adopted_changed_and_deleted(v):
    gwa, inner = v["gwa"], v["inner"]
    iked = Iked(gwa, text()).start()
    main = link(gwa, "svti100")
    assert main["mtu"] == 1400 and main["ifalias"] == "to gwb" and "UP" in main["flags"] and main["group"] == "219"
    assert addresses(main) == {"10.1.0.1/32", "fd00:1::1/128"}
    assert "UP" in link(inner, "svti200")["flags"]
    gwa.ip("route add 10.2.0.0/24 dev svti100 src 10.1.0.1")
    inner.ip("route add 10.4.0.0/24 dev svti200 src 10.3.0.1")
    for name in NETS:
        iked.initiate(name, "net")
    wait_tunnel(gwa, count=4)
    gwa.ping_ok("10.2.0.1", source="10.1.0.1")
    inner.ping_ok("10.4.0.1", source="10.3.0.1")

    def shown():
        return {svti["name"]: svti for svti in iked.state()["interface"]["svti"]}["svti100"]

    # the kernel's link watch takes its time over what the first SA changed
    wait_until(lambda: shown()["oper-status"] == "UP", "svti100 is up in the daemon's state")
    state = shown()
    assert state["ifindex"] == main["ifindex"]
    assert int(state["counters"]["out-unicast-pkts"]) > 0 and int(state["counters"]["in-unicast-pkts"]) > 0
    assert "    svti svti200\n" in iked.ctl("show", "state", "--vrf", "inner").stdout

    # another life finds them: the same interfaces, and the traffic of before the crash goes on through them
    iked.kill9()
    gwa.ping_ok("10.2.0.1", source="10.1.0.1")
    iked.start()
    assert link(gwa, "svti100")["ifindex"] == main["ifindex"]
    gwa.ping_ok("10.2.0.1", source="10.1.0.1")

    # changed live
    iked.load(text(main=interface("svti100", 100, "mtu 1300", "promiscuous true", "ipv4 address 10.1.0.9/32", "ipv6 enabled false")))
    now = link(gwa, "svti100")
    assert now["ifindex"] == main["ifindex"] and now["mtu"] == 1300 and "PROMISC" in now["flags"] and "ifalias" not in now
    assert addresses(now) == {"10.1.0.9/32"}
    iked.load(text(main=interface("svti100", 100, "enabled false")))
    assert "UP" not in link(gwa, "svti100")["flags"]

    # gone with the configuration, the VRF's too, and not with the daemon
    iked.load(text(main=None, inner=None))
    assert link(gwa, "svti100") is None and link(inner, "svti200") is None
    iked.load(text())
    iked.stop()
    assert link(gwa, "svti100") is not None and link(inner, "svti200") is not None
    # what a former life made in a VRF that is not configured any more goes with the next start
    iked.file.write_text(text(inner=None))
    iked.start()
    assert link(gwa, "svti100") is not None and link(inner, "svti200") is None


def test_iked_interface_of_somebody_else_is_adopted_or_an_error(v):
    gwa, inner = v["gwa"], v["inner"]
    gwa.svti("svti100", 100, mtu=1400)
    gwa.ip("addr add 10.1.0.1/32 dev svti100", "addr add 10.99.0.1/32 dev svti100")
    before = link(gwa, "svti100")["ifindex"]
    inner.svti("svti200", 7, link_netns="gwa")
    # the daemon starts with what it can do, and says what it cannot
    iked = Iked(gwa, text()).start()
    assert link(gwa, "svti100")["ifindex"] == before and "10.99.0.1/32" not in addresses(link(gwa, "svti100"))
    assert "svti200: an SVTI of that name is there with svti-id 7" in iked.process.output()
    # a change that cannot be made is refused, and the daemon goes on
    inner.ip("link del svti200", "link add svti200 type dummy")
    refused = iked.load(text(main=None), check=False)
    assert refused.returncode != 0 and "vrf inner interface svti svti200: an interface of that name is there and is not an SVTI" in refused.stderr + refused.stdout
    assert link(gwa, "svti100")["ifindex"] == before
    # out of the way: it is made by itself
    inner.ip("link del svti200")
    wait_until(lambda: link(inner, "svti200") is not None, "svti200 is made", 60, interval=1)
    assert link(inner, "svti200")["linkinfo"]["info_kind"] == "svti"

# SPDX-License-Identifier: Apache-2.0
"""The guide's VPN concentrator: road warriors get virtual addresses from a pool, one SVTI carries them all.

    server ─── gwa (svti-iked, svti100, pool 192.168.99.0/24) ═══ wan ═══ rw1, rw2 (svti-iked or strongSwan, svti100)
"""
import json
import re

import pytest

from iked import GCM_ESP, GCM_IKE, Iked, block, configuration, esp_sas, wait_clean
from lab import wait_until
from strongswan import StrongSwan

GATEWAY = "192.0.2.1"
SERVER = "192.168.0.2"
SECRET = "0seaJ31RfzHNRvUSH0oUYg7znTW0I="
TEMPLATES = block("ike-policy-template t", block("ike-proposal 1", *GCM_IKE)), block("ipsec-policy-template t", block("esp-proposal 1", *GCM_ESP))
SVTI = ("svti-id-in 100", "svti-id-out 100")


def hub(*pool):
    """The guide's use case, on an SVTI."""
    return configuration(
        *TEMPLATES,
        block(
            "vpn siteA-roadw",
            block("ike-policy", "template t"),
            block("ipsec-policy", "template t"),
            f"local-address {GATEWAY}",
            "local-id secgw.example.net",
            "vip-pool user-vips",
            block("security-policy hub", "local-ts subnet 192.168.0.0/24", *SVTI),
            block("security-policy hub6", "local-ts subnet fd00:a::/64", *SVTI),
        ),
        *(block(f"pre-shared-key user{n}", f"id user{n}@example.net", f"secret {SECRET}") for n in (1, 2)),
        block("pool user-vips", *(pool or ("address 192.168.99.0/24", "address fd00:99::/64", "dns 192.168.0.53"))),
    )


def road_warrior(number, start="start", requests=("0.0.0.0",), svti=SVTI):
    policies = [block("security-policy net", "remote-ts subnet 192.168.0.0/24", *svti)]
    if "::" in requests:
        policies.append(block("security-policy net6", "remote-ts subnet fd00:a::/64", *svti))
    return configuration(
        *TEMPLATES,
        block(
            "vpn hq",
            block("ike-policy", "template t", "keying-tries 0"),
            block("ipsec-policy", "template t", f"start-action {start}"),
            f"remote-address {GATEWAY}",
            f"local-id user{number}@example.net",
            "remote-id secgw.example.net",
            *(f"vip-request {one}" for one in requests),
            *policies,
        ),
        block("pre-shared-key hq", "id secgw.example.net", f"secret {SECRET}"),
        # what asked for the SA before there was an address does not use it: its larval state goes by itself
        options=("install-routes true", "acquire-timeout 10"),
    )


def swan_road_warrior(number, vips="0.0.0.0"):
    return f"""
connections {{
  hq {{
    version = 2
    remote_addrs = {GATEWAY}
    vips = {vips}
    proposals = aes128gcm16-prfsha256-curve25519
    local {{
      auth = psk
      id = user{number}@example.net
    }}
    remote {{
      auth = psk
      id = secgw.example.net
    }}
    children {{
      net {{
        remote_ts = 192.168.0.0/24
        esp_proposals = aes128gcm16
        if_id_in = 100
        if_id_out = 100
      }}
    }}
  }}
}}
secrets {{
  ike-hq {{
    id = secgw.example.net
    secret = {SECRET}
  }}
}}
"""


SWAN_HUB = f"""
connections {{
  rw {{
    version = 2
    local_addrs = {GATEWAY}
    pools = rw, rw6
    proposals = aes128gcm16-prfsha256-curve25519
    local {{
      auth = psk
      id = secgw.example.net
    }}
    remote {{
      auth = psk
      id = *@example.net
    }}
    children {{
      net {{
        local_ts = 192.168.0.0/24
        esp_proposals = aes128gcm16
        if_id_in = 100
        if_id_out = 100
      }}
      net6 {{
        local_ts = fd00:a::/64
        esp_proposals = aes128gcm16
        if_id_in = 100
        if_id_out = 100
      }}
    }}
  }}
}}
pools {{
  rw {{
    addrs = 192.168.99.0/24
    dns = 192.168.0.53
    nbns = 192.168.0.54
  }}
  rw6 {{
    addrs = fd00:99::/64
  }}
}}
secrets {{
  ike-users {{
    id = user1@example.net
    secret = {SECRET}
  }}
}}
"""


class Concentrator:
    def __init__(self, lab):
        self.gwa, self.server, self.wan = lab.host("gwa"), lab.host("server"), lab.host("wan")
        self.rw = [lab.host("rw1"), lab.host("rw2")]
        lab.link(self.server, "eth0", self.gwa, "lan0")
        lab.link(self.gwa, "wan0", self.wan, "wana")
        self.server.addr("eth0", f"{SERVER}/24", "fd00:a::2/64")
        self.gwa.addr("lan0", "192.168.0.1/24", "fd00:a::1/64")
        self.gwa.addr("wan0", f"{GATEWAY}/24")
        self.wan.addr("wana", "192.0.2.254/24")
        self.server.route("default", via="192.168.0.1")
        self.server.ip("route add default via fd00:a::1", family="-6")
        self.gwa.route("default", via="192.0.2.254")
        for number, host in enumerate(self.rw, 1):
            lab.link(host, "wan0", self.wan, f"wan{number}")
            host.addr("wan0", f"198.51.{number}.1/24")
            self.wan.addr(f"wan{number}", f"198.51.{number}.254/24")
            host.route("default", via=f"198.51.{number}.254")
            host.svti("svti100", 100)
        for host in (self.gwa, self.wan):
            host.forward()
        self.gwa.svti("svti100", 100)

    def capture(self):
        return self.wan.capture("wana")


@pytest.fixture
def c(lab):
    return Concentrator(lab)


def vips(host):
    """{address: interface} of those out of the pools."""
    found = {}
    for link in json.loads(host.run("ip -j addr show").stdout):
        for one in link.get("addr_info", []):
            if one.get("local", "").startswith(("192.168.99.", "fd00:99:")):
                found[one["local"]] = link["ifname"]
    return found


def wait_vip(host, *addresses):
    wait_until(lambda: set(vips(host)) == set(addresses), f"{addresses} on {host.name}", 60, interval=0.5)


def test_iked_vip_concentrator_with_two_road_warriors(c):
    gateway = Iked(c.gwa, hub()).start()
    capture = c.capture()
    one = Iked(c.rw[0], road_warrior(1, requests=("0.0.0.0", "::"))).start()
    wait_vip(c.rw[0], "192.168.99.1", "fd00:99::1")
    assert set(vips(c.rw[0]).values()) == {"svti100"}
    two = StrongSwan(c.rw[1], swan_road_warrior(2), "install_virtual_ip = yes").start()
    two.initiate("net")
    c.rw[0].ping_ok(SERVER)  # its source is the virtual address without being told
    wait_until(lambda: len(one.children()) == 2, "both families", 60, interval=0.5)
    c.rw[0].ping_ok("fd00:a::2")
    c.rw[1].route("192.168.0.0/24", dev="svti100")
    c.rw[1].ping_ok(SERVER, source="192.168.99.2")
    c.server.ping_ok("192.168.99.1")
    c.server.ping_ok("192.168.99.2")
    assert {r["dst"] for r in c.gwa.routes()} == {"192.168.99.1", "192.168.99.2"}
    capture.assert_only_ike_and_esp(("192.168.0.0/16",))

    # what both ends tell
    mine = one.ike_sas()[0]
    assert mine["local-vip"] == ["192.168.99.1", "fd00:99::1"] and mine["dns"] == ["192.168.0.53"]
    theirs = {sa["remote-id"]: sa["remote-vip"] for sa in gateway.ike_sas()}
    assert theirs == {"user1@example.net": ["192.168.99.1", "fd00:99::1"], "user2@example.net": ["192.168.99.2"]}
    listed = gateway.swanctl("--list-pools", "--leases").stdout
    assert re.search(r"user-vips +192\.168\.99\.1 +3 / 0 / \d+", listed), listed
    assert re.search(r"192\.168\.99\.2 +online +'user2@example.net'", listed), listed
    shown = json.loads(gateway.ctl("show", "pools", "--leases", "--json").stdout)["pool"][0]
    assert shown["online"] == 3 and shown["leases"][1] == {"address": "192.168.99.2", "identity": "user2@example.net", "status": "online"}
    assert re.search(r"remote .*@ 198\.51\.2\.1\S* \[192\.168\.99\.2\]", gateway.swanctl("--list-sas").stdout)

    # rekeyed, the addresses stay, and traffic goes on
    ping = c.rw[0].ping_background(SERVER)
    one.rekey_ike("hq")
    gateway.swanctl("--rekey", "--ike", "siteA-roadw")
    ping.wait_received(8)
    sent, received = ping.finish()
    assert received >= sent - 1
    assert set(vips(c.rw[0])) == {"192.168.99.1", "fd00:99::1"}

    # gone, the address goes too, and comes back
    one.stop()
    assert vips(c.rw[0]) == {}
    two.terminate("hq")
    assert "3 / 0" not in gateway.swanctl("--list-pools").stdout
    two.initiate("net")
    assert re.search(r"192\.168\.99\.2", two.sas())
    one.start()
    wait_vip(c.rw[0], "192.168.99.1", "fd00:99::1")


def test_iked_vip_client_killed_and_restarted(c):
    gateway = Iked(c.gwa, hub()).start()
    capture = c.capture()
    client = Iked(c.rw[0], road_warrior(1)).start()
    wait_vip(c.rw[0], "192.168.99.1")
    c.rw[0].ping_ok(SERVER)
    ping = c.rw[0].ping_background(SERVER)
    ping.wait_received(3)
    client.kill9()
    ping.wait_received(6)  # the kernel goes on
    client.start()
    wait_until(lambda: len(client.ike_sas()) == 1 and len(gateway.ike_sas()) == 1, "one IKE SA on both sides", 60, interval=0.5)
    ping.wait_received(6)
    ping.finish()
    assert set(vips(c.rw[0])) == {"192.168.99.1"}
    wait_until(lambda: len(esp_sas(c.rw[0])) == 2, "one pair of SAs", 30, interval=0.5)
    # a life that asks for none finds the address of the one before, and removes it
    client.kill9()
    client.file.write_text("ike\n    ..\n")
    client.start()
    wait_vip(c.rw[0])
    # the address of somebody else is left alone
    c.rw[0].run("ip addr add 192.168.99.1/32 dev svti100")
    client.load(road_warrior(1))
    client.initiate("hq", "net")
    c.rw[0].ping_ok(SERVER)
    client.stop()
    assert "192.168.99.1/32" in c.rw[0].run("ip -o addr show dev svti100").stdout
    capture.assert_only_ike_and_esp(("192.168.0.0/16",))


def test_iked_vip_from_strongswans_pool_and_on_lo(c):
    swan = StrongSwan(c.gwa, SWAN_HUB).start()
    c.gwa.route("192.168.99.0/24", dev="svti100")
    c.gwa.route("fd00:99::/64", dev="svti100")
    client = Iked(c.rw[0], road_warrior(1, start="trap", requests=("0.0.0.0", "::"))).start()
    capture = c.capture()
    assert c.rw[0].ping(SERVER, 1, wait=1) == 0  # brings it up; its source is no virtual address yet
    wait_vip(c.rw[0], "192.168.99.1", "fd00:99::1")
    swan.wait_child("net")
    c.rw[0].ping_ok(SERVER)
    client.initiate("hq", "net6")
    c.rw[0].ping_ok("fd00:a::2")
    sa = client.ike_sas()[0]
    assert sa["dns"] == ["192.168.0.53"] and sa["nbns"] == ["192.168.0.54"]
    swan.rekey_ike("rw")
    client.rekey_ike("hq")
    c.rw[0].ping_ok(SERVER)
    client.terminate("hq")
    wait_vip(c.rw[0])
    # the trap stands: any packet would bring it up again
    client.stop()
    wait_clean(c.rw[0])
    swan.wait_no_sa()
    capture.assert_only_ike_and_esp(("192.168.0.0/16",))
    # without an SVTI
    client.file.write_text(road_warrior(1, start="none", svti=()))
    client.start()
    client.initiate("hq", "net", check=False)
    wait_until(lambda: vips(c.rw[0]) == {"192.168.99.1": "lo"}, "the address on lo", 30, interval=0.5)
    client.stop()
    assert vips(c.rw[0]) == {}

# SPDX-License-Identifier: Apache-2.0
"""Two strongSwans drive our SVTIs through their own if_id_in/if_id_out; no part of our daemon takes part.

    clienta ─── gwa (strongSwan, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
import pytest

from strongswan import StrongSwan, connection

SECRET = "0seaJ31RfzHNRvUSH0oUYg7znTW0I="
SUITES = {
    "aes-gcm-curve25519": ("aes128gcm16-prfsha256-curve25519", "aes128gcm16"),
    "aes-cbc-sha256-modp2048": ("aes128-sha256-modp2048", "aes128-sha256"),
}


def strongswans(g, proposal, esp_proposal, family=4):
    """A strongSwan on each gateway, both started."""
    a, b = ("192.0.2.1", "198.51.100.1") if family == 4 else ("2001:db8:a::1", "2001:db8:b::1")
    ids = ("secgwa.example", "secgwb.example")
    ts = ("192.168.0.0/24,fd00:a::/64", "192.168.99.0/24,fd00:b::/64")
    left = connection(a, b, *ids, *ts, proposal, esp_proposal, SECRET)
    right = connection(b, a, *ids[::-1], *ts[::-1], proposal, esp_proposal, SECRET)
    return StrongSwan(g.gwa, left).start(), StrongSwan(g.gwb, right).start()


@pytest.fixture
def tunnel(gateways):
    gateways.svtis()
    gateways.route_through_svtis()
    return gateways


@pytest.mark.parametrize("suite", SUITES)
def test_interop_strongswan_both_sides_drive_svtis(tunnel, suite):
    g = tunnel
    swan_a, swan_b = strongswans(g, *SUITES[suite])
    capture = g.capture()
    swan_a.initiate("net")
    g.clienta.ping_ok("192.168.99.2")
    g.clientb.ping_ok("fd00:a::2")
    g.clienta.ping_ok("192.168.99.2", size=3000)
    capture.assert_only_ike_and_esp(g.INNER)
    assert {sa["if_id"] for sa in g.gwa.sas()} == {100}
    swan_a.terminate("site")
    swan_b.wait_no_sa()
    assert g.clienta.ping("192.168.99.2", 1, wait=1) == 0


def test_interop_strongswan_both_sides_rekey_under_ping(tunnel):
    g = tunnel
    swan_a, swan_b = strongswans(g, *SUITES["aes-gcm-curve25519"])
    swan_a.initiate("net")
    capture = g.capture()
    g.clienta.ping_ok("192.168.99.2")
    ping = g.clienta.ping_background("192.168.99.2")
    ping.wait_received(3)
    for swan, other in ((swan_a, swan_b), (swan_b, swan_a)):
        before = other.unique_ids("net")
        swan.rekey_child("net")
        swan.rekey_ike("site")
        ping.wait_received(5)
        other.wait_child("net")
        after = other.unique_ids("net")
        assert after[0] != before[0] and after[1] != before[1], f"nothing was rekeyed: {before} {after}"
    sent, received = ping.finish()
    # The last request may still be under way when ping is told to end.
    assert received >= sent - 1
    capture.assert_only_ike_and_esp(g.INNER)


def test_interop_strongswan_both_sides_over_ipv6(tunnel):
    g = tunnel
    swan_a, _ = strongswans(g, *SUITES["aes-gcm-curve25519"], family=6)
    capture = g.capture()
    swan_a.initiate("net")
    g.clienta.ping_ok("192.168.99.2")
    g.clienta.ping_ok("fd00:b::2")
    capture.assert_only_ike_and_esp(g.INNER)

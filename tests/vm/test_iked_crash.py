# SPDX-License-Identifier: Apache-2.0
"""svti-iked killed at any instant: traffic goes on encrypted, and a restart leaves one set of everything.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (svti-iked, svti100) ─── clientb
"""
import pytest

from iked import GCM_ESP, GCM_IKE, Iked, esp_sas, pair, wait_clean, wait_tunnel
from lab import wait_until


@pytest.fixture
def g(gateways):
    gateways.svtis()
    return gateways


def test_iked_crash_kill_9_under_ping_and_restart(g):
    # gwa's side starts the tunnel by itself, also after its restart.
    a, b = pair(start=("start", "none"), ike=GCM_IKE, esp=GCM_ESP)
    iked_b = Iked(g.gwb, b).start()
    iked_a = Iked(g.gwa, a).start()
    wait_tunnel(g.gwa, g.gwb)
    capture = g.capture()
    g.clienta.ping_ok("192.168.99.2")
    before_a, before_b = g.gwa.fingerprint(), g.gwb.fingerprint()

    ping = g.clienta.ping_background("192.168.99.2")
    ping.wait_received(5)
    iked_a.kill9()
    sequence = ping.received()
    ping.wait_received(10)  # nobody at home, the kernel goes on
    assert g.gwa.fingerprint() == before_a
    assert ping.received() >= sequence + 10

    iked_a.start()
    # The restarted daemon and its peer agree again, on one IKE SA with one CHILD SA ...
    wait_until(lambda: len(iked_a.ike_sas()) == 1 and len(iked_b.ike_sas()) == 1, "one IKE SA on both sides", 60, interval=0.5)
    wait_tunnel(g.gwa, g.gwb)
    ping.wait_received(10)
    # ... and nothing of the first life is left, in duplicate or at all.
    wait_until(lambda: g.gwa.fingerprint() == before_a, f"gwa's kernel holds one set again, {before_a}", 30, interval=0.5)
    wait_until(lambda: g.gwb.fingerprint() == before_b, f"gwb's kernel holds one set again, {before_b}", 30, interval=0.5)
    assert len(iked_a.children()) == len(iked_b.children()) == 1
    assert {int(iked_a.children()[0][spi], 16) for spi in ("spi-in", "spi-out")} == {sa["spi"] for sa in esp_sas(g.gwa)}
    ping.finish()
    capture.assert_only_ike_and_esp(g.INNER)


def test_iked_crash_restart_without_the_vpn_removes_what_was_left(g):
    # The configuration changed while the daemon was dead: what it installed before is its own to remove, another's is not.
    a, b = pair(start=("start", "none"), ike=GCM_IKE, esp=GCM_ESP)
    Iked(g.gwb, b).start()
    iked_a = Iked(g.gwa, a).start()
    wait_tunnel(g.gwa, g.gwb)
    foreign = "xfrm state add src 192.0.2.1 dst 203.0.113.9 proto esp spi 0x1234 reqid 77 mode tunnel aead rfc4106(gcm(aes)) 0x" + "11" * 20 + " 128"
    g.gwa.run("ip " + foreign)
    g.gwa.run("ip route add 203.0.113.0/24 dev wan0 table 220")
    iked_a.kill9()
    iked_a.file.write_text("ike\n    ..\n")
    iked_a.start()
    wait_until(lambda: [sa["spi"] for sa in g.gwa.sas()] == [0x1234], "only the foreign SA is left", 30, interval=0.5)
    wait_until(lambda: [r["dst"] for r in g.gwa.routes()] == ["203.0.113.0/24"], "only the foreign route is left", 30, interval=0.5)
    assert g.gwa.policies() == [] and g.gwa.rules() == []


def test_iked_crash_no_clear_packet_while_the_tunnel_is_down(g):
    # From the start of the daemons to their end, whatever the state of the tunnel: what belongs inside stays inside.
    a, b = pair(start=("trap", "none"), ike=GCM_IKE, esp=GCM_ESP)
    capture = g.capture()
    g.route_through_svtis()
    ping = g.clienta.ping_background("192.168.99.2")
    iked_a = Iked(g.gwa, a).start()
    iked_b = Iked(g.gwb, b).start()
    ping.wait_received(5)
    iked_b.kill9()
    iked_a.kill9()
    g.gwa.run("ip xfrm state flush")
    g.gwa.run("ip xfrm policy flush")
    iked_b.start()
    iked_a.start()
    ping.wait_received(5, timeout=120)
    iked_a.stop()
    iked_b.stop()
    ping.finish()
    wait_clean(g.gwb)
    capture.assert_only_ike_and_esp(g.INNER)

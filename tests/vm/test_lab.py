# SPDX-License-Identifier: Apache-2.0
"""The laboratory itself: what the other tests rely on must be able to fail."""
import pytest

from lab import LabError


def test_lab_hosts_reach_each_other_and_captures_see_clear_text(gateways):
    # Without a tunnel the clients' packets have no way back through wan; with routes there they cross in clear and are seen.
    g = gateways
    assert g.clienta.ping("192.168.99.2", 1, wait=1) == 0
    g.wan.route("192.168.0.0/24", via="192.0.2.1")
    g.wan.route("192.168.99.0/24", via="198.51.100.1")
    capture = g.capture()
    g.clienta.ping_ok("192.168.99.2")
    with pytest.raises(LabError, match="payload of a ping is in clear"):
        capture.assert_only_ike_and_esp(g.INNER)
    # tshark's part of the check, for packets that do not carry the pattern
    with pytest.raises(LabError, match="other than IKE and ESP"):
        second = g.capture()
        g.clienta.run("ping -n -c 1 192.168.99.2")
        second.assert_only_ike_and_esp(g.INNER)

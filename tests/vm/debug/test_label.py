# SPDX-License-Identifier: Apache-2.0
"""Security labels (XFRMA_SEC_CTX) of policies, which an SVTI refuses: nothing there knows the label of a packet. They need SELinux, without any policy of its
own, and so a boot of their own: scripts/vm-test debug/label --append "security=selinux enforcing=0"
"""
import pytest

import svti
from svti import Counters, Ends, policy

INSIDE = "192.168.1.2"


@pytest.mark.parametrize("direction", ["out", "in"])
def test_a_policy_with_a_label_blocks_and_the_log_says_so(lab, direction):
    ends = Ends(lab)
    ends.protect()
    ends.a.ping_ok(INSIDE)
    a, b = ends.outer(4)
    here, there = (a, b) if direction == "out" else (b, a)
    labelled = policy("0.0.0.0/0", "0.0.0.0/0", direction, 1, here, there, more="ctx kernel")
    # For the kernel one with a label is another policy, which stands beside the one without.
    ends.a.ip(f"xfrm policy delete src 0.0.0.0/0 dst 0.0.0.0/0 dir {direction} if_id 1", labelled)
    assert "security context kernel" in ends.a.run("ip xfrm policy").stdout  # otherwise the kernel has thrown it away, and this proves nothing
    blocked = Counters(ends.a, "svti1")
    assert ends.a.ping(INSIDE, 2, wait=1, interval=0.1) == 0
    assert blocked.since() == {f"{'tx' if direction == 'out' else 'rx'}-blocked": 2}
    assert "has a security label, which an SVTI does not support" in ends.a.run("dmesg").stdout
    source, destination = ("192.168.1.1", INSIDE) if direction == "out" else (INSIDE, "192.168.1.1")
    assert svti.trace(ends.a, "svti1", source, destination, direction=direction)["verdict"]
    ends.a.ip(f"xfrm policy delete src 0.0.0.0/0 dst 0.0.0.0/0 dir {direction} if_id 1 ctx kernel", policy("0.0.0.0/0", "0.0.0.0/0", direction, 1, here, there))
    ends.a.ping_ok(INSIDE)

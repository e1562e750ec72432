# SPDX-License-Identifier: Apache-2.0
"""Packet offload (6.12), which an SVTI refuses: the kernel hands the device what is to be encrypted, and nothing that says so.

        a ─ nic0 on eth0 ─────── 10.0.0.0/24 ─────── eth0 ─ b, the way to the peer 10.0.9.2
          └ nic1 on eth1 ─────── 10.0.1.0/24 ─────── eth1 ┘

SAs and policies are added as `ip xfrm` makes them, with XFRMA_OFFLOAD_DEV on top, which the ip of Debian 12 cannot say.
"""
import struct

import pytest

import nic
import svti
from lab import wait_until
from svti import Counters, Refused, create, index_of, policy, sa

XFRM = 6  # NETLINK_XFRM
NEWSA, DELSA, GETSA, DELPOLICY, NEWPOLICY, GETPOLICY = 16, 17, 18, 20, 19, 21
DUMP = 0x300
OFFLOAD_DEV, PACKET = 28, 4  # XFRMA_, XFRM_
A, B, INNER = "10.0.0.1", "10.0.9.2", "192.168.1.2"


def move_to_device(host, device, flags=PACKET):
    """Takes all SAs and policies for sending of a host away and adds them again, given to a device."""
    given = svti.attr(OFFLOAD_DEV, struct.pack("=iBxxx", index_of(host, device), flags))
    policies = svti.request(host, GETPOLICY, DUMP, b"", XFRM)
    states = svti.request(host, GETSA, DUMP, b"", XFRM)
    host.ip("xfrm policy flush", "xfrm state flush")
    for one in states:
        svti.request(host, NEWSA, 0, one + given, XFRM)
    for one in policies:
        svti.request(host, NEWPOLICY, 0, one + given, XFRM)


@pytest.fixture
def ends(lab):
    nic.load()
    a, b = lab.host("a"), lab.host("b")
    for n in (0, 1):
        lab.link(a, f"eth{n}", b, f"eth{n}")
        a.ip(f"link add nic{n} link eth{n} type espnic", f"link set nic{n} up")
    a.addr("nic0", f"{A}/24")
    b.addr("eth0", "10.0.0.2/24")
    b.addr("lo", f"{B}/32")
    b.addr("eth1", "10.0.1.2/24")
    a.addr("nic1", "10.0.1.1/24")
    a.ip(f"route add {B} via 10.0.0.2")
    return a, b


def protect(host, if_id):
    """An SA and a policy for sending to INNER."""
    host.ip(sa(A, B, 0x101, if_id), policy("192.168.1.0/24", "192.168.1.0/24", "out", if_id, A, B))


def clear(capture):
    return len(capture.packets("icmp && !esp"))


def test_an_svti_hands_nothing_to_a_device_with_packet_offload(ends):
    a, b = ends
    create(a, "svti1", 1)
    a.ip("link set svti1 addrgenmode none", "addr add 192.168.1.1/24 dev svti1", "link set svti1 up")
    protect(a, 1)
    if nic.kernel() < (6, 2):
        with pytest.raises(Refused):  # the kernel does not know the flag
            move_to_device(a, "nic0")
        return
    move_to_device(a, "nic0")
    captures = [a.capture(dev) for dev in ("eth0", "eth1")]
    dropped, before = Counters(a, "svti1"), nic.counted("swallowed")

    # The policy blocks, and the SA is none of the SVTI's.
    assert svti.sad(a, "svti1") == []
    assert "DORMANT" in a.run("ip link show svti1").stdout
    assert a.ping(INNER, 2, wait=1, interval=0.1) == 0
    assert dropped.since() == {"tx-blocked": 2}
    assert svti.trace(a, "svti1", "192.168.1.1", INNER)["verdict"] == 2
    assert "packet offload, which an SVTI does not support" in a.run("dmesg").stdout

    # Nor does it become one when the policy is not with the device, or the route leads elsewhere.
    a.ip(policy("192.168.1.0/24", "192.168.1.0/24", "out", 1, A, B, verb="update"))
    a.ping(INNER, 2, wait=1, interval=0.1)
    a.ip(f"route replace {B} via 10.0.1.2")
    a.ping(INNER, 2, wait=1, interval=0.1)
    assert nic.counted("swallowed") == before
    # An SA in software, or with crypto offload, is taken as ever.
    a.ip(f"route replace {B} via 10.0.0.2", sa(A, B, 0x102, 1, more="offload dev nic0 dir out"))
    encrypted = nic.counted("encrypted")
    a.ping(INNER, 2, wait=1, interval=0.1)
    wait_until(lambda: nic.counted("encrypted") > encrypted, "ESP leaves with the other SA")
    for capture in captures:
        capture.stop()
        assert clear(capture) == 0
    assert captures[0].count_esp() and not captures[1].count_esp()


def test_what_packet_offload_of_the_kernel_lets_out(ends):
    """Why it is refused (ADR 0021). When this fails, the kernel has become better, and the refusal may go."""
    if nic.kernel() < (6, 2):
        return
    a, b = ends
    a.ip("link add ipsec2 type xfrm dev nic0 if_id 2", "addr add 192.168.1.1/24 dev ipsec2", "link set ipsec2 addrgenmode none", "link set ipsec2 up")
    protect(a, 2)
    move_to_device(a, "nic0")
    captures = [a.capture(dev) for dev in ("eth0", "eth1")]
    before = nic.counted("swallowed")
    a.ping(INNER, 2, wait=1, interval=0.1)
    assert nic.counted("swallowed") == before + 2  # handed over in clear, for the device to encrypt
    # The route to the peer leads by another device.
    a.ip(f"route replace {B} via 10.0.1.2")
    a.ping(INNER, 2, wait=1, interval=0.1)
    for capture in captures:
        capture.stop()
    assert nic.counted("swallowed") == before + 2
    assert clear(captures[0]) == 0 and clear(captures[1]) == 2

# SPDX-License-Identifier: Apache-2.0
"""The SPD of an svti: which policy a packet meets. All policies here block; the one that was met bears a time of use."""
import ipaddress
import random
import re

import pytest

import svti
from lab import wait_until


def used(host):
    """Indices of the policies that have been met."""
    text = host.run("ip -s xfrm policy").stdout
    blocks = re.split(r"^(?=src )", text, flags=re.MULTILINE)
    return {int(m[1]) for b in blocks if (m := re.search(r"index (\d+)", b)) and not re.search(r"use -", b)}


def nearby(rng, base, bits, width):
    """An address that shares a random number of leading bits with `base`."""
    return int(base) ^ rng.getrandbits(bits) & ((1 << rng.randint(1, bits)) - 1) & ((1 << width) - 1)


@pytest.mark.parametrize("family", [4, 6])
def test_a_packet_meets_the_policy_that_comes_first_in_one_list_sorted_by_priority(lab, family):
    #   host: svti1 (10.9.0.1, fd09::1), all sent into it; 120 policies in, some before the svti was made, some replaced
    host = lab.host("host")
    rng = random.Random(20240 + family)
    make, width, longest = (ipaddress.IPv4Address, 32, 14) if family == 4 else (ipaddress.IPv6Address, 128, 14)
    base, source = (make("10.1.2.3"), "10.9.0.1") if family == 4 else (make("fd12::1:2:3"), "fd09::1")

    policies, batch, index = [], [], {}
    for n in range(120):
        length = rng.choice([width - 32, width - 20, width - 12, width - 10, width - 8, width - 1, width, width])
        net = ipaddress.ip_network((nearby(rng, base, longest, width), width)).supernet(new_prefix=length)
        port = rng.choice([None, None, None, 1000, 1001])
        priority = rng.randint(0, 5) + 6 * (length < width - 10)  # the wide ones last, or they would hide the others
        number = 8 * (n + 1) + 1  # an index tells the direction in its last three bits; out is 1
        key = (net, port)
        command = (
            f"xfrm policy {'update' if key in index else 'add'} src {source}/{width} dst {net} proto udp "
            f"{f'dport {port}' if port else ''} dir out if_id 1 priority {priority} action block"
        )
        if key in index:  # replaced: has the place of the old among its equals
            policies = [p for p in policies if p[1] != index[key]]
            number = index[key]
        else:
            index[key] = number
            command = command.replace(" dir out", f" dir out index {number}")
        policies.append((priority, number, net, port))
        batch.append(command)
    host.ip(*batch[:60])
    svti.create(host, "svti1", 1)
    host.ip(*batch[60:])
    host.ip("link set svti1 addrgenmode none up", f"addr add {source}/{width} dev svti1" + (" nodad" if family == 6 else ""))
    host.ip("route add default dev svti1", family=f"-{family}")
    policies.sort(key=lambda p: p[:2])

    flows = [(str(make(nearby(rng, base, longest, width))), rng.choice([1000, 1001, 1002])) for _ in range(150)]
    flows += [(str(p[2].network_address + rng.getrandbits(max(0, width - p[2].prefixlen))), p[3] or 7) for p in policies]
    flows = [(a, p) for a, p in flows if make(a).is_global or make(a).is_private]
    flows = [(a, p) for a, p in flows if not make(a).is_multicast and not make(a).is_loopback and not make(a).is_unspecified]
    expected = set()
    for address, port in flows:
        for _, number, net, wanted in policies:
            if make(address) in net and wanted in (None, port):
                expected.add(number)
                break
    assert len(expected) > 15, "the test is of little use with so few policies met"

    svti.send_udp(host, flows)
    assert used(host) == expected


def test_the_svti_does_not_see_policies_of_others(lab):
    #   host: svti1, svti2, a policy for each and one without an id
    host = lab.host("host")
    for n in (1, 2):
        svti.create(host, f"svti{n}", n)
        host.ip(f"link set svti{n} addrgenmode none up", f"addr add 10.9.{n}.1/24 dev svti{n}")
    for n in (0, 2):
        host.ip(f"xfrm policy add src 0.0.0.0/0 dst 10.9.1.0/24 dir out {f'if_id {n}' if n else ''} action block")
    host.ip("xfrm policy add src 0.0.0.0/0 dst 10.9.2.0/24 dir out if_id 2 action block")

    one, two = svti.Counters(host, "svti1"), svti.Counters(host, "svti2")
    svti.send_udp(host, [("10.9.1.9", 9), ("10.9.2.9", 9)])
    assert one.since() == {"tx-no-policy": 1}
    assert two.since() == {"tx-blocked": 1}


def test_policies_die_in_every_way_they_can(lab):
    #   host: svti1; what is deleted, flushed, expired or replaced is not met any more
    host = lab.host("host")
    svti.create(host, "svti1", 1)
    host.ip("link set svti1 addrgenmode none up", "addr add 10.9.0.1/24 dev svti1")
    add = "xfrm policy add src 0.0.0.0/0 dst 10.9.0.0/24 dir out if_id 1 action block"
    counters = svti.Counters(host, "svti1")

    def seen():
        nonlocal counters
        counters = svti.Counters(host, "svti1")
        svti.send_udp(host, [("10.9.0.9", 9)])
        return counters.since()

    assert seen() == {"tx-no-policy": 1}
    host.ip(add)
    assert seen() == {"tx-blocked": 1}
    host.ip("xfrm policy delete src 0.0.0.0/0 dst 10.9.0.0/24 dir out if_id 1")
    assert seen() == {"tx-no-policy": 1}
    host.ip(add, "xfrm policy flush")
    assert seen() == {"tx-no-policy": 1}
    host.ip(add + " limit time-hard 2")
    assert seen() == {"tx-blocked": 1}
    wait_until(lambda: seen() == {"tx-no-policy": 1}, "the policy expires")
    host.ip(add)
    host.ip("xfrm policy update src 0.0.0.0/0 dst 10.9.0.0/24 dir out if_id 1")  # no template: would pass in clear
    assert seen() == {"tx-blocked": 1}

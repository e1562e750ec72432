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


def place(host, policy):
    """(hashed, bits of source and destination in the key) of the policy whose source and destination these are."""
    src, dst = policy
    for p in svti.spd(host, "svti1"):
        if (p["saddr"], p["src-len"], p["daddr"], p["dst-len"]) == (*src, *dst):
            return bool(p["hashed"]), p["bucket-src"], p["bucket-dst"]
    raise AssertionError(f"{policy} is not in the SPD")


def net(text):
    address, length = text.split("/")
    return str(ipaddress.ip_address(address)), int(length)


@pytest.mark.parametrize("when", ["at creation", "later"])
def test_the_six_examples_of_the_guide(lab, when):
    # sp-hash-ipv4 local 16 remote 24, sp-hash-ipv6 local 56 remote 64
    examples = [
        ("out", "10.22.0.0/20", "10.24.1.0/24", True),
        ("out", "10.22.0.0/16", "10.24.0.0/16", False),
        ("in", "10.24.1.1/32", "10.22.0.0/16", True),
        ("out", "3ffe:304:124:2200::/60", "3ffe:304:124:2401::/64", True),
        ("out", "3ffe:304:124:2200::/56", "3ffe:304:124:2400::/56", False),
        ("in", "3ffe:304:124:2401::2/128", "3ffe:304:124:2200::/56", True),
    ]
    host = lab.host("host")
    host.ip(*(f"xfrm policy add src {s} dst {d} dir {way} if_id 1 action block" for way, s, d, _ in examples))
    thresholds = svti.sp_hash_attrs(4, 16, 24) + svti.sp_hash_attrs(6, 56, 64)
    if when == "later":
        svti.create(host, "svti1", 1)
        # Only hosts are hashed by default.
        assert not any(p["hashed"] for p in svti.spd(host, "svti1"))
        svti.change(host, "svti1", data=thresholds)
    else:
        svti.create(host, "svti1", 1, data=thresholds)

    for way, src, dst, hashed in examples:
        (_, src_len), (_, dst_len) = net(src), net(dst)
        local, remote = (16, 24) if "." in src else (56, 64)
        bits = (local, remote) if way == "out" else (remote, local)
        assert place(host, (net(src), net(dst))) == (hashed, *(bits if hashed else (src_len, dst_len))), (way, src, dst)
    data = svti.show(host, "svti1")[2]
    assert [data[kind][0] for kind in svti.SP_HASH.values()] == [16, 24, 56, 64]


@pytest.mark.parametrize("shape", ["hosts", "prefixes", "ports", "ports of hosts", "marks"])
def test_a_lookup_is_as_long_for_a_thousand_policies_as_for_one(lab, shape):
    host = lab.host("host")
    svti.create(host, "svti1", 1)

    def selector(n):
        return {
            "hosts": f"src 10.0.0.1/32 dst 10.1.{n >> 8}.{n & 255}/32",
            "prefixes": f"src 10.0.0.0/16 dst 10.{n >> 8}.{n & 255}.0/24",
            "ports": f"src 10.0.0.0/16 dst 10.1.0.0/16 proto udp dport {n + 1}",
            "ports of hosts": f"src 10.0.0.1/32 dst 10.1.0.1/32 proto tcp sport {n + 1}",
            "marks": f"src 10.0.0.0/16 dst 10.1.0.0/16 mark {n:#x}",
        }[shape]

    def work():
        """Hash lookups and comparisons for packets that meet each of some policies."""
        seen = set()
        for p in svti.spd(host, "svti1")[::97]:
            found = svti.view(
                host,
                "svti1",
                svti.CMD_TRACE,
                more=svti.attr(3, bytes([2]))
                + svti.attr(4, ipaddress.ip_address(p["saddr"]).packed)
                + svti.attr(5, ipaddress.ip_address(p["daddr"]).packed)
                + svti.attr(6, bytes([p["proto"]]))
                + svti.attr(7, p["sport"].to_bytes(2, "big"))
                + svti.attr(8, p["dport"].to_bytes(2, "big"))
                + svti.attr(9, p["mark"]),
            )[0]
            assert found["index"] == p["index"]
            seen.add((found["probes"], found["candidates"]))
        return seen

    policies = [f"xfrm policy add {selector(n)} dir out if_id 1 action block" for n in range(1000)]
    host.ip(policies[0])
    assert work() == {(1, 1)}
    host.ip(*policies[1:])
    assert len(svti.spd(host, "svti1")) == 1000
    assert work() == {(1, 1)}


def test_thresholds_change_under_traffic_and_no_packet_notices(lab):
    ends = svti.Ends(lab)
    ends.protect()
    # Beside the policies that all traffic uses, many others that have to find new places each time.
    ends.a.ip(
        *(
            f"xfrm policy add src 10.{n >> 8}.{n & 255}.0/24 dst 10.200.{n & 255}.0/24 dir {'out' if n % 2 else 'in'} if_id 1 action block"
            for n in range(1500)
        )
    )
    counters = svti.Counters(ends.a, "svti1"), svti.Counters(ends.b, "svti1")
    ping = ends.a.ping_background("192.168.1.2", interval=0.01)
    ping.wait_received(50)
    values = [(0, 0), (16, 16), (24, 24), (32, 32), (0, 32), (8, 24)]
    for n in range(18):
        local, remote = values[n % len(values)]
        svti.change(ends.a, "svti1", data=svti.sp_hash_attrs(4, local, remote))
        if n % 3 == 0:  # a policy comes and another goes in between
            ends.a.ip(f"xfrm policy update src 10.9.{n}.0/24 dst 10.201.0.0/16 dir out if_id 1 action block")
    ping.wait_received(50)
    sent, received = ping.finish()
    assert sent - received <= 1, "only the last reply may be under way at the end"
    assert [c.since() for c in counters] == [{}, {}]
    assert len(svti.spd(ends.a, "svti1")) == 1504 + 6


def test_a_thousand_interfaces_with_equal_selectors(lab):
    host = lab.host("host")
    host.ip(*(f"xfrm policy add src 0.0.0.0/0 dst 10.1.0.0/16 dir out if_id {n} priority {n} action block" for n in range(1, 1001)))
    for n in range(1, 301):
        svti.create(host, f"svti{n}", n)
    for n in (1, 77, 300):
        found = svti.trace(host, f"svti{n}", "10.0.0.1", "10.1.2.3")
        assert (found["priority"], found["tuples"], found["probes"], found["candidates"]) == (n, 1, 1, 1)


def test_who_asks_for_what_is_not_there_is_told_so(lab):
    host = lab.host("host")
    host.run("ip link add dummy0 type dummy")
    with pytest.raises(svti.Refused, match="the interface is not an svti"):
        svti.trace(host, "dummy0", "10.0.0.1", "10.0.0.2")
    svti.create(host, "svti1", 1)
    assert svti.spd(host, "svti1") == [] and svti.sad(host, "svti1") == []
    with pytest.raises(svti.Refused, match="two addresses, both of its family"):
        svti.view(host, "svti1", svti.CMD_TRACE, more=svti.attr(3, bytes([2])) + svti.attr(4, b"\0" * 16) + svti.attr(5, b"\0" * 4))

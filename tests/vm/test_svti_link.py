# SPDX-License-Identifier: Apache-2.0
"""Links of kind svti: how they are made, what is refused and in which words, and when they go away."""
import errno
import json
import os

import pytest

import svti
from lab import wait_until


def refusal(do, *args, **more):
    with pytest.raises(svti.Refused) as refused:
        do(*args, **more)
    return refused.value.errno, refused.value.text


def test_an_svti_is_made_shown_and_deleted(lab):
    #   host: eth0 ─── other
    host, other = lab.host("host"), lab.host("other")
    lab.link(host, "eth0", other, "eth0")
    eth0 = svti.index_of(host, "eth0")

    svti.create(host, "svti1", 0xFFFFFFFF, link=eth0)
    link, info, data = svti.show(host, "svti1")
    assert info[svti.IFLA_INFO_KIND] == b"svti\0"
    assert int.from_bytes(data[svti.IFLA_SVTI_ID], "little") == 0xFFFFFFFF
    assert int.from_bytes(data[svti.IFLA_SVTI_LINK], "little") == eth0
    assert int.from_bytes(link[svti.IFLA_LINK], "little") == eth0
    assert "mtu 1500" in host.run("ip -d link show svti1").stdout
    assert svti.xstats(host, "svti1") == dict.fromkeys(svti.XSTATS, 0)

    host.run("ip link set svti1 up")
    svti.delete(host, "svti1")
    assert not svti.exists(host, "svti1")
    svti.create(host, "svti1", 0xFFFFFFFF)


def test_each_refusal_is_a_sentence(lab):
    host = lab.host("host")
    host.run("ip link add dummy0 type dummy")
    dummy = svti.index_of(host, "dummy0")
    svti.create(host, "svti1", 1)

    assert refusal(svti.create, host, "x") == (errno.EINVAL, "svti-id is missing: give a number from 1 to 4294967295")
    assert refusal(svti.create, host, "x", 0) == (
        errno.EINVAL,
        "svti-id 0 is no interface: give a number from 1 to 4294967295",
    )
    assert refusal(svti.create, host, "x", 1) == (errno.EEXIST, "another svti has this svti-id in the link namespace")
    assert refusal(svti.create, host, "x", 2, link=99) == (
        errno.ENODEV,
        "the underlying link does not exist in the link namespace",
    )
    assert refusal(svti.create, host, "x", 2, link=dummy, more=svti.attr(svti.IFLA_LINK, 1)) == (
        errno.EINVAL,
        "two different underlying links are given",
    )
    assert refusal(svti.create, host, "x", 2, more=svti.attr(1, b"\2\0\0\0\0\1"))[0] == errno.EINVAL
    assert refusal(svti.change, host, "svti1", 2) == (
        errno.EOPNOTSUPP,
        "svti-id is fixed for the life of the interface: delete it and make another",
    )
    assert refusal(svti.create, host, "x", 2, data=svti.sp_hash_attrs(4, 33, 32)) == (
        errno.ERANGE,
        "sp-hash: an IPv4 prefix length is from 0 to 32",
    )
    assert refusal(svti.change, host, "svti1", data=svti.sp_hash_attrs(6, 0, 129)) == (
        errno.ERANGE,
        "sp-hash: an IPv6 prefix length is from 0 to 128",
    )
    assert not svti.exists(host, "x")

    svti.change(host, "svti1", 1, link=dummy)  # the same id is no change, and the link may change
    assert int.from_bytes(svti.show(host, "svti1")[2][svti.IFLA_SVTI_LINK], "little") == dummy
    assert refusal(svti.change, host, "svti1", link=99)[0] == errno.ENODEV


def test_the_id_belongs_to_the_link_namespace_wherever_the_device_is(lab):
    #   outside: requests; inside: where the devices live
    outside, inside = lab.host("outside"), lab.host("inside")
    file, into_inside = svti.netns_attr(inside)
    with file:
        svti.create(outside, "svti1", 1, more=into_inside)
        assert svti.exists(inside, "svti1") and not svti.exists(outside, "svti1")
        assert refusal(svti.create, outside, "svti9", 1)[0] == errno.EEXIST
        svti.create(inside, "svti2", 1)  # the same id, but linked to inside

        # IFLA_LINK_NETNSID: asked for in inside, linked to outside.
        # The number by which inside knows outside: it has one since the first link between them.
        number = int.from_bytes(svti.show(inside, "svti1")[0][svti.IFLA_LINK_NETNSID], "little")
        netnsid = svti.attr(svti.IFLA_LINK_NETNSID, number)
        assert refusal(svti.create, inside, "svti3", 1, more=netnsid)[0] == errno.EEXIST
        svti.create(inside, "svti3", 3, more=netnsid)
        assert int.from_bytes(svti.show(inside, "svti3")[0][svti.IFLA_LINK_NETNSID], "little") == number
        assert refusal(svti.create, outside, "svti9", 3)[0] == errno.EEXIST


def test_an_svti_dies_with_its_link_namespace_and_with_its_own(lab):
    #   link (dies first) ─── home (dies second): device in home, id in link
    home, link, user = lab.host("home"), lab.host("link"), lab.host("user")
    file, into_home = svti.netns_attr(home)
    with file:
        svti.create(link, "svti1", 1, more=into_home)
        svti.create(link, "svti2", 2, more=into_home)
    home.ip("link set svti1 up", "link set svti2 up")
    link.ip(svti.sa("10.0.0.1", "10.0.0.2", 0x100, 1))
    link.ip(svti.policy("0.0.0.0/0", "0.0.0.0/0", "out", 1, "10.0.0.1", "10.0.0.2"))

    lab.hosts.pop("link").close()
    wait_until(lambda: not svti.exists(home, "svti1"), "the devices of the dead link namespace are gone")
    wait_until(lambda: not svti.exists(home, "svti2"), "all of them")

    file, into_home = svti.netns_attr(home)
    with file:
        svti.create(user, "svti3", 3, more=into_home)
    home.run("ip link set svti3 up")
    lab.hosts.pop("home").close()

    def free():
        try:
            svti.create(user, "svti3", 3)
        except svti.Refused as refused:
            assert refused.errno == errno.EEXIST
            return False
        return True

    wait_until(free, "the id of the dead device is free again")


def test_ip_link_knows_the_words_of_an_svti(lab):
    # By its plug-in link_svti.so, which ip(8) looks for in a folder of its own.
    host, other = lab.host("host"), lab.host("other")
    lab.link(host, "eth0", other, "eth0")
    words = {"IP_LIB_DIR": f"{os.environ['SVTI_STAGE']}/bin"}
    host.run("ip link add svti1 type svti id 100 dev eth0 sp-hash-ipv4 16/24 sa-per-cpu on", env=words)
    shown = host.run("ip -d link show svti1", env=words).stdout
    assert "svti1@eth0: " in shown
    assert "svti id 100 sp-hash-ipv4 16/24 sp-hash-ipv6 128/128 auto-mtu on sa-per-cpu on" in shown
    host.run("ip link set svti1 type svti sp-hash-ipv6 56/64 sa-per-cpu off", env=words)
    link = json.loads(host.run("ip -j -d link show svti1", env=words).stdout)[0]
    assert link["link"] == "eth0"
    assert link["linkinfo"]["info_data"] == {"id": 100, "sp-hash-ipv4": "16/24", "sp-hash-ipv6": "56/64", "auto-mtu": True, "sa-per-cpu": False}
    host.ip("link set svti1 up", "addr add 192.168.1.1/24 dev svti1")
    svti.send_udp(host, [("192.168.1.2", 9)])
    assert "tx-no-policy " in host.run("ip -d -s link show svti1", env=words).stdout
    for wrong, why in (
        ("id 0", "svti: 'id 0': a number from 1 to 4294967295"),
        ("id 4294967296", "svti: 'id 4294967296': a number from 1 to 4294967295"),
        ("id 7 dev eth9", "svti: 'dev eth9': there is no such device"),
        ("id 7 sp-hash-ipv4 16/33", "svti: 'sp-hash-ipv4 16/33': LOCAL/REMOTE, each from 0 to 32"),
        ("id 7 colour blue", "svti: unknown word 'colour'"),
        ("id", "svti: 'id' needs a value"),
    ):
        done = host.run(f"ip link add x type svti {wrong}", check=False, env=words)
        assert done.returncode and why in done.stderr
    assert "Usage: ... svti id SVTI-ID" in host.run("ip link help svti", check=False, env=words).stdout

    # In two namespaces: a name is not looked up in the wrong one.
    done = host.run("ip link add svti2 link-netns other type svti id 7 dev eth0", check=False, env=words)
    assert done.returncode and "with link-netns it cannot be looked up" in done.stderr and not svti.exists(host, "svti2")
    other.run("ip link add svti2 netns host type svti id 7 dev eth0", env=words)
    assert "link-netns other" in host.run("ip -d link show svti2", env=words).stdout


def test_ip_link_makes_none_without_an_id(lab):
    # Without the plug-in the kernel must say what is missing rather than guess.
    host = lab.host("host")
    done = host.run("ip link add svti1 type svti", check=False)
    assert done.returncode and "svti-id is missing" in done.stderr


def test_many_svtis_come_and_go(lab):
    host = lab.host("host")
    for n in range(1, 301):
        svti.create(host, f"svti{n}", n)
    host.run("ip link set svti300 up")
    assert refusal(svti.create, host, "x", 150)[0] == errno.EEXIST
    svti.delete(host, "svti150")
    svti.create(host, "svti150", 150)
    lab.hosts.pop("host").close()  # with all of them in it; the kernel's log is looked at after each test

# SPDX-License-Identifier: Apache-2.0
"""svtictl against the module.

Most tests have one host; the link-netns tests have two, and a cable so that each has an underlying link:

    red (encrypted) ── eth0 ═══ eth0 ── blue (clear)
"""
import json
import os
import pty
import select
import subprocess

import pytest


TAKEN = 'the kernel says "another svti has this svti-id in the link namespace" (File exists)'


def svtictl(host, words, check=True):
    return host.run("svtictl " + words, check=check)


def as_json(host, words):
    return json.loads(svtictl(host, "--json " + words).stdout)


def refused(host, words, status=1):
    """The sentence on standard error, nothing on standard output, that exit status."""
    done = svtictl(host, words, check=False)
    assert done.returncode == status, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("svtictl: "), done.stderr
    return lines[0].removeprefix("svtictl: ")


def links(host):
    return {link["ifname"]: link for link in json.loads(host.run("ip -j -d link").stdout)}


@pytest.fixture
def host(lab):
    return lab.host("one")


@pytest.fixture
def pair(lab):
    red, blue = lab.host("red"), lab.host("blue")
    lab.link(red, "eth0", blue, "eth0")
    return red, blue


def test_add_makes_what_was_asked_and_delete_removes_it(host):
    svtictl(host, "add svti100 id 100 mtu 1400 address 10.0.0.1/24 address 2001:db8::1/64 up")
    link = links(host)["svti100"]
    assert link["linkinfo"]["info_kind"] == "svti"
    assert link["mtu"] == 1400
    assert "UP" in link["flags"]

    [shown] = as_json(host, "show")
    assert shown["name"] == "svti100"
    assert shown["svti-id"] == 100
    assert shown["mtu"] == 1400 and shown["mtu-fixed"]
    assert shown["enabled"] is True
    assert shown["ifindex"] == link["ifindex"]
    assert {"10.0.0.1/24", "2001:db8::1/64"} <= set(shown["addresses"])
    assert "link-interface" not in shown and "link-netns" not in shown

    svtictl(host, "delete svti100")
    assert "svti100" not in links(host)
    assert as_json(host, "show") == []


def test_add_in_json_prints_the_new_interface(host):
    made = as_json(host, "add svti7 id 0xfffffffe")
    assert made["name"] == "svti7"
    assert made["svti-id"] == 0xFFFFFFFE
    assert made["enabled"] is False
    assert made["mtu"] == 1500


def test_show_and_stats_take_one_name(host):
    svtictl(host, "add svti1 id 1")
    svtictl(host, "add svti2 id 2")
    assert [i["name"] for i in as_json(host, "show")] == ["svti1", "svti2"]
    assert [i["name"] for i in as_json(host, "show svti2")] == ["svti2"]
    assert [i["svti-id"] for i in as_json(host, "stats svti1")] == [1]
    assert refused(host, "show lo") == "lo is not an SVTI; 'svtictl show' lists them"
    assert refused(host, "stats svti9") == "there is no interface 'svti9'; 'ip link' shows those there are"


def test_link_netns_and_underlying_link_are_those_named(pair):
    red, blue = pair
    svtictl(blue, "add svti100 id 100 dev eth0 link-netns red mtu 1400")
    [shown] = as_json(blue, "show svti100")
    assert shown["link-netns"] == "red"
    assert shown["link-interface"] == "eth0"
    assert shown["mtu"] == 1400
    assert "svti100" not in links(red)
    # The id is taken in red, where the encrypted packets are, and free in blue.
    assert TAKEN in refused(red, "add svti101 id 100")
    assert "svti101" not in links(red)
    svtictl(blue, "add svti101 id 100")


def test_link_netns_may_be_a_process_or_the_namespace_itself(pair):
    red, blue = pair
    process = red.popen("sleep 600")
    svtictl(blue, f"add svti1 id 1 link-netns {process.popen.pid}")
    assert as_json(blue, "show svti1")[0]["link-netns"] == "red"
    svtictl(blue, "add svti2 id 1 dev eth0 link-netns blue")
    [own] = as_json(blue, "show svti2")
    assert own["link-interface"] == "eth0"
    assert "link-netns" not in own


def test_a_link_that_is_not_in_the_link_netns_is_refused(pair):
    red, blue = pair
    blue.run("ip link add only type veth peer name blue0")
    sentence = refused(blue, "add svti1 id 1 dev blue0 link-netns red")
    assert sentence == "in network namespace 'red': there is no interface 'blue0'; 'ip link' shows those there are"
    assert "there is no network namespace 'green'" in refused(blue, "add svti1 id 1 link-netns green")
    assert as_json(blue, "show") == []


def test_netns_option_works_elsewhere(pair):
    red, blue = pair
    svtictl(blue, "-n red add svti1 id 1")
    assert "svti1" in links(red) and "svti1" not in links(blue)
    assert [i["name"] for i in as_json(blue, "show --netns red")] == ["svti1"]
    svtictl(blue, "-n red delete svti1")
    assert "svti1" not in links(red)


def test_a_taken_id_and_a_taken_name_are_refused_with_the_kernels_sentence(host):
    svtictl(host, "add svti100 id 100")
    assert refused(host, "add svti101 id 100") == (
        f"cannot add svti101: {TAKEN}; choose another; 'svtictl show' lists those of this network namespace"
    )
    assert refused(host, "add svti100 id 101").endswith("choose another name or 'svtictl delete svti100' first")
    assert [i["svti-id"] for i in as_json(host, "show")] == [100]


def test_an_interface_that_cannot_be_set_up_as_asked_is_not_left_behind(host):
    sentence = refused(host, "add svti1 id 1 address 10.0.0.1/24 address 10.0.0.1/24")
    assert sentence.startswith("cannot add address 10.0.0.1/24 to svti1")
    assert "svti1" not in links(host)


def test_mtu_has_the_limits_of_the_module(host):
    for mtu in (68, 65535):
        assert as_json(host, f"add svti{mtu} id {mtu} mtu {mtu}")["mtu"] == mtu
    for mtu in (67, 65536):
        assert refused(host, f"add svti1 id 1 mtu {mtu}", status=2).startswith(f"'{mtu}' is not a number from 68 to 65535")


def test_only_an_svti_is_deleted(pair):
    red, _ = pair
    assert refused(red, "delete eth0") == "eth0 is of kind veth, not an SVTI; remove it with 'ip link delete eth0' if you mean it"
    assert "eth0" in links(red)


def test_names_and_ids_out_of_range_are_usage_errors(host):
    assert "must begin with 'svti'" in refused(host, "add tun0 id 1", status=2)
    for svti_id in ("0", "4294967296", "-1", "x"):
        assert refused(host, f"add svti1 id {svti_id}", status=2).startswith(f"'{svti_id}' is no svti-id")
    assert as_json(host, "show") == []


def test_stats_count_a_packet_that_no_policy_covers(host):
    host.sysctl("net.ipv6.conf.default.disable_ipv6", 1)  # it would send router solicitations, which no policy covers either
    svtictl(host, "add svti100 id 100 address 10.0.0.1/24 up")
    before = as_json(host, "stats svti100")[0]["drops"]
    assert before["tx-no-policy"] == 0
    host.ping("10.0.0.2", count=3, wait=0.3, interval=0.2)
    after = as_json(host, "stats svti100")[0]
    assert after["drops"]["tx-no-policy"] == 3
    assert after["counters"]["out-unicast-pkts"] == 0
    text = svtictl(host, "stats svti100").stdout
    assert "tx-no-policy              3  routed here, but no policy of this interface covers the packet" in text
    # Whatever the module counts has a name here: the two were built from one header.
    assert not any(name.startswith("reason-") for name in after["drops"])


def test_sp_hash_is_set_at_creation_and_changed_later(host):
    svtictl(host, "add svti1 id 1 sp-hash-ipv4 16/24")
    [shown] = as_json(host, "show svti1")
    assert shown["sp-hash-ipv4"] == {"local": 16, "remote": 24}
    assert shown["sp-hash-ipv6"] == {"local": 128, "remote": 128}
    changed = as_json(host, "set svti1 sp-hash-ipv4 8/8 sp-hash-ipv6 56/64")
    assert (changed["sp-hash-ipv4"], changed["sp-hash-ipv6"]) == ({"local": 8, "remote": 8}, {"local": 56, "remote": 64})
    assert refused(host, "set svti1 sp-hash-ipv4 33/0", status=2).startswith("'33' is not a number from 0 to 32")
    assert refused(host, "set svti1", status=2).startswith("nothing to set")
    assert refused(host, "set lo sp-hash-ipv4 8/8") == "lo is not an SVTI; 'svtictl show' lists them"


def test_spd_shows_where_each_policy_sits_and_how_long_a_lookup_is(host):
    svtictl(host, "add svti1 id 1 sp-hash-ipv4 16/24")
    template = "tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1 mode tunnel"
    host.ip(
        f"xfrm policy add src 10.22.0.0/20 dst 10.24.1.0/24 dir out priority 5 if_id 1 {template}",
        "xfrm policy add src 10.22.0.0/16 dst 10.24.0.0/16 dir out priority 9 if_id 1 action block",
        "xfrm policy add src 10.22.0.0/16 dst 10.24.0.0/16 proto tcp dport 22 dir out priority 1 if_id 1 action block",
        f"xfrm policy add src 10.24.1.1/32 dst 10.22.0.0/16 dir in if_id 1 {template}",
    )
    shown = as_json(host, "spd svti1")["policies"]
    assert [(p["direction"], p["priority"], p["place"]["hashed"]) for p in shown] == [
        ("out", 1, False),
        ("out", 5, True),
        ("out", 9, False),
        ("in", 0, True),
    ]
    assert shown[0]["destination-port"] == "22" and shown[0]["place"]["ports"]
    found = as_json(host, "spd svti1 from 10.22.1.1 to 10.24.1.9 proto udp dport 53")
    assert [p["priority"] for p in found["policies"] if p.get("met")] == [5]
    assert found["lookup"]["groups"] == 3 and found["lookup"]["candidates"] == 1
    text = svtictl(host, "spd svti1 from 10.22.1.1 to 10.24.1.9 proto udp dport 53").stdout
    assert "10.22.0.0/20 -> 10.24.1.0/24  [hashed 16/24, 1 of 1]" in text
    assert "10.22.0.0/16 -> 10.24.0.0/16  [unhashed, bucket 16/16, 1 of 1]" in text
    assert "2 of 3 groups of buckets visited, 1 candidate compared" in text


def test_trace_says_what_would_happen_and_why(pair):
    red, blue = pair
    for host, n in ((red, 1), (blue, 2)):
        host.addr("eth0", f"192.0.2.{n}/24")
    red.sysctl("net.ipv6.conf.default.disable_ipv6", 1)  # its router solicitations would be counted
    svtictl(red, "add svti1 id 1 address 10.1.0.1/24 up")
    traced = lambda words: as_json(red, f"trace svti1 from 10.1.0.1 to {words}")  # noqa: E731
    assert traced("10.2.0.1")["verdict"] == "tx-no-policy"
    red.ip(
        "xfrm policy add src 0.0.0.0/0 dst 10.2.0.0/16 dir out if_id 1 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 7 mode tunnel",
        "xfrm policy add src 0.0.0.0/0 dst 10.3.0.0/16 dir out if_id 1 action block",
    )
    assert traced("10.3.0.1 proto tcp dport 80")["verdict"] == "tx-blocked"
    assert traced("10.2.0.1")["verdict"] == "tx-queued"
    for way, src, dst, spi in (("out", "192.0.2.1", "192.0.2.2", 0x101), ("in", "192.0.2.2", "192.0.2.1", 0x102)):
        red.ip(
            f"xfrm state add src {src} dst {dst} proto esp spi {spi:#x} reqid 7 mode tunnel if_id 1 flag af-unspec "
            "aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128"
        )
    passed = traced("10.2.0.1")
    assert (passed["verdict"], passed["spi"], passed["out-interface"], passed["state-lookup"]) == ("pass", "0x00000101", "eth0", "short")
    assert 1400 < passed["mtu"] < 1500
    assert [(s["direction"], s["spi"], s["state"]) for s in as_json(red, "sad svti1")] == [
        ("out", "0x00000101", "usable"),
        ("in", "0x00000102", "usable"),
    ]
    assert as_json(red, "trace svti1 dir in from 10.2.0.1 to 10.1.0.1")["verdict"] == "rx-no-policy"
    # Looking changes nothing: no acquire was raised, no packet counted.
    assert as_json(red, "stats svti1")[0]["drops"]["tx-no-policy"] == 0
    assert "10.1.0.1 -> 10.2.0.1" in svtictl(red, "trace svti1 from 10.1.0.1 to 10.2.0.1").stdout


def test_routes_carry_protocol_svti_and_others_are_left_alone(host):
    svtictl(host, "add svti100 id 100 address 10.0.0.1/24 up")
    svtictl(host, "route add 10.2.0.0/16 dev svti100 src 10.0.0.1")
    svtictl(host, "route add 192.0.2.1/32 type throw")
    svtictl(host, "route add 2001:db8:2::/48 dev svti100")
    host.ip("route add 10.3.0.0/16 dev svti100 table 220")
    shown = {route["prefix"]: route for route in as_json(host, "route")}
    assert set(shown) == {"10.2.0.0/16", "10.3.0.0/16", "192.0.2.1/32", "2001:db8:2::/48"}
    assert shown["10.2.0.0/16"]["device"] == "svti100"
    assert shown["10.2.0.0/16"]["svti-id"] == 100
    assert shown["10.2.0.0/16"]["source"] == "10.0.0.1"
    assert shown["10.2.0.0/16"]["protocol"] == "svti"
    assert shown["192.0.2.1/32"]["type"] == "throw"
    assert shown["10.3.0.0/16"]["protocol"] == "boot"
    assert {route["dst"]: route.get("protocol") for route in host.routes(220)}["10.2.0.0/16"] == "219"

    assert "there is none of protocol svti" in refused(host, "route delete 10.3.0.0/16")
    for prefix in ("10.2.0.0/16", "192.0.2.1/32", "2001:db8:2::/48"):
        svtictl(host, f"route delete {prefix}")
    assert [route["prefix"] for route in as_json(host, "route show")] == ["10.3.0.0/16"]
    assert as_json(host, "route show table 300") == []


def test_rules_are_made_for_both_families_or_none(host):
    svtictl(host, "rule add")
    assert [(r["family"], r["priority"], r["table"], r["protocol"]) for r in as_json(host, "rule")] == [
        ("ipv4", 220, 220, "svti"),
        ("ipv6", 220, 220, "svti"),
    ]
    assert [len(host.rules(family)) for family in (4, 6)] == [1, 1]
    assert "File exists" in refused(host, "rule add")

    svtictl(host, "rule delete family ipv4")
    assert "IPv6" in refused(host, "rule add")  # IPv4 could be added, IPv6 is there: nothing is
    assert [r["family"] for r in as_json(host, "rule")] == ["ipv6"]

    host.ip("rule add priority 220 lookup 220")
    assert "there is none of protocol svti" in refused(host, "rule delete family ipv4")
    svtictl(host, "rule delete family ipv6")
    assert [(r["family"], r["protocol"]) for r in as_json(host, "rule")] == [("ipv4", "unspec")]


def test_errors_are_json_when_json_was_asked_for(host):
    done = svtictl(host, "--json delete svti9", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert json.loads(done.stderr)["error"].startswith("there is no interface 'svti9'")


def output_on_a_terminal(host, words, env):
    ours, theirs = pty.openpty()
    with host.entered():
        child = subprocess.Popen(["svtictl", *words.split()], stdout=theirs, stdin=subprocess.DEVNULL, env={**os.environ, **env})
    os.close(theirs)
    text = b""
    try:
        while select.select([ours], [], [], 30)[0]:
            piece = os.read(ours, 4096)
            if not piece:
                break
            text += piece
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(ours)
    assert child.wait(30) == 0
    return text.decode()


def test_colour_is_for_terminals(host):
    svtictl(host, "add svti1 id 1")
    coloured = "\033[36msvti1\033[0m"
    assert coloured not in svtictl(host, "show").stdout
    assert coloured in svtictl(host, "--color=always show").stdout
    assert coloured in output_on_a_terminal(host, "show", {"NO_COLOR": ""})
    assert "\033" not in output_on_a_terminal(host, "show", {"NO_COLOR": "1"})
    assert "\033" not in output_on_a_terminal(host, "--color never show", {"NO_COLOR": ""})
    assert "\033" not in output_on_a_terminal(host, "--json --color always show", {})


def test_who_may_not_is_told_to_be_root(host):
    host.run("chmod o+rx /run/lab", check=False)
    done = host.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "svtictl", "add", "svti1", "id", "1"], check=False)
    assert done.returncode == 1
    assert "run it as root (CAP_NET_ADMIN is needed)" in done.stderr
    assert "svti1" not in links(host)

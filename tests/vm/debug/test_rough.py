# SPDX-License-Identifier: Apache-2.0
"""Rough handling of the module, on the kernel of scripts/debug-kernel: what KASAN, lockdep, DEBUG_OBJECTS and PROVE_RCU have to say about it
fails a test (the kernel's log is looked at after each), and kmemleak is asked at the end. ROUGH_SECONDS is the length of each flood.
"""
import contextlib
import os
import pathlib
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import svti  # noqa: E402
from lab import wait_until  # noqa: E402
from svti import Ends, policy, sa  # noqa: E402

SECONDS = int(os.environ.get("ROUGH_SECONDS", "60"))
FUZZ_SECONDS = int(os.environ.get("ROUGH_FUZZ_SECONDS", "600"))
DEBUG = pathlib.Path("/sys/kernel/debug")
SLAB = DEBUG / "failslab"
INSIDE = "192.168.1.2"


@pytest.fixture(scope="module", autouse=True)
def debugfs():
    if not (DEBUG / "kmemleak").exists():
        subprocess.run(["mount", "-t", "debugfs", "debugfs", str(DEBUG)], check=True)
    assert (DEBUG / "kmemleak").exists() and SLAB.exists(), "this is not the kernel of scripts/debug-kernel"


@contextlib.contextmanager
def flood(ends, *more):
    """Pings both ways, large and small, as fast as they go."""
    lines = [(ends.a, f"ping -n -f {INSIDE}"), (ends.b, "ping -n -f -s 1400 192.168.1.1"), (ends.a, "ping -n -f -s 3000 fd01::2"), *more]
    running = [host.popen(line, name="flood") for host, line in lines]
    try:
        yield
    finally:
        for process in running:
            process.kill()


def until(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def test_everything_that_can_be_changed_is_changed_under_traffic(lab):
    ends = Ends(lab)
    ends.protect()
    eth0 = svti.index_of(ends.a, "eth0")
    ends.a.ping_ok(INSIDE)
    rng = random.Random(1)
    spi = 0x1000
    with flood(ends):
        for _ in until(SECONDS):
            for host in (ends.a, ends.b):
                data = svti.sp_hash_attrs(4, rng.randrange(33), rng.randrange(33)) + svti.attr(7, bytes([rng.randrange(2)]))
                svti.change(host, "svti1", link=eth0 if host is ends.a and rng.random() < 0.5 else None, data=data)
            spi += 16
            ends.states(spi=spi, suite=rng.choice(("gcm", "cbc", "null")))
            for host in (ends.a, ends.b):
                host.ip(f"link set eth0 mtu {rng.choice((1300, 1400, 1500))}", f"link set svti1 {rng.choice(('up', 'down'))}", "link set svti1 up")
                # The older SAs go, by and by.
                host.ip(*(f"xfrm state delete src 10.0.0.{s} dst 10.0.0.{3 - s} proto esp spi {spi - 32 + s:#x}" for s in (1, 2) if spi > 0x1010))
    for host in (ends.a, ends.b):
        host.run("ip link set eth0 mtu 1500")
    ends.a.ping_until(INSIDE)


def parallel_gcm():
    """From now on AES-GCM is asynchronous: pcrypt hands it to other threads."""
    blocks = pathlib.Path("/proc/crypto").read_text().split("\n\n")
    found = [b for b in blocks if re.search(r"^name +: rfc4106\(gcm\(aes\)\)$", b, re.MULTILINE)]
    driver = re.search(r"^driver +: (\S+)$", max(found, key=lambda b: int(re.search(r"priority +: (\d+)", b)[1])), re.MULTILINE)[1]
    name = f"pcrypt({driver})"
    body = b"".join(text.encode().ljust(64, b"\0") for text in ("", name, "")) + struct.pack("=IIII", 0, 0, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 21) as sock:  # NETLINK_CRYPTO, CRYPTO_MSG_NEWALG
        sock.send(struct.pack("=IHHII", 16 + len(body), 0x10, 5, 1, 0) + body)
        error = struct.unpack_from("=i", sock.recv(4096), 16)[0]
    assert error in (0, -17), f"pcrypt: {os.strerror(-error)}"
    assert name in pathlib.Path("/proc/crypto").read_text()


def test_devices_go_while_packets_are_being_encrypted_elsewhere(lab):
    parallel_gcm()
    ends = Ends(lab)
    ends.protect()
    ends.a.ping_ok(INSIDE)
    rng = random.Random(2)
    for _ in until(SECONDS):
        with flood(ends, (ends.a, f"ping -n -f -s 1300 {INSIDE}")):
            time.sleep(1)
            what = rng.randrange(4)
            if what == 0:
                svti.delete(ends.a, "svti1")
                svti.delete(ends.b, "svti1")
            elif what == 1:
                ends.a.ip("xfrm state flush", "xfrm policy flush")
            elif what == 2:
                ends.a.run("ip link delete eth0")
            else:
                ends.a.run("ip link set svti1 down")
            time.sleep(0.5)
        for n, host in ((1, ends.a), (2, ends.b)):
            if not svti.exists(host, "eth0") and host is ends.a:
                lab.link(ends.a, "eth0", ends.b, "eth0")
                ends.a.addr("eth0", "10.0.0.1/24", "fd00::1/64")
                ends.b.addr("eth0", "10.0.0.2/24", "fd00::2/64")
            if not svti.exists(host, "svti1"):
                ends.svti(host, "svti1", 1, 1, n)
            host.ip("link set svti1 up", "xfrm state flush", "xfrm policy flush")
        ends.protect()
        ends.a.ping_until(INSIDE)


def test_a_namespace_and_the_module_go_under_flood(lab):
    module = f"{os.environ['SVTI_STAGE']}/svti.ko"
    for n in range(3):
        ends = Ends(lab)
        ends.protect()
        with flood(ends):
            time.sleep(3)
            if n == 1:
                subprocess.run(["rmmod", "svti"], check=True)
            lab.hosts.pop("b").close()
            time.sleep(1)
        lab.hosts.pop("a").close()
        if n == 1:
            subprocess.run(["insmod", module], check=True)
        for path in pathlib.Path("/run/lab").glob("[ab]"):
            subprocess.run(["rm", "-rf", str(path)], check=True)


@contextlib.contextmanager
def failing_allocations(percent):
    """Of this thread and what it starts, that cannot wait: those of the module are of this kind, those of XFRM itself mostly not."""
    for name, value in (("task-filter", "Y"), ("ignore-gfp-wait", "Y"), ("probability", percent), ("interval", 1), ("times", -1), ("space", 0), ("verbose", 0)):
        (SLAB / name).write_text(str(value))
    me = pathlib.Path(f"/proc/self/task/{threading.get_native_id()}/make-it-fail")
    me.write_text("1")
    try:
        yield
    finally:
        me.write_text("0")
        (SLAB / "probability").write_text("0")


def test_without_memory_nothing_is_let_through_and_all_is_repaired(lab):
    # Policies and SAs are inserted while the module gets no memory to index them: it drops meanwhile, and a rescan finds what it missed.
    ends = Ends(lab)
    capture = ends.b.capture("eth0")
    count = 200
    lines = [policy("0.0.0.0/0", f"10.7.{n}.0/24", "out", 1, "10.0.0.1", "10.0.0.2") for n in range(count)]
    lines += [sa("10.0.0.1", f"10.0.1.{n}", 0x500 + n, 1) for n in range(count)]
    done = []

    def insert():
        with failing_allocations(60):
            for line in lines:
                # Where the kernel itself has failed, it is tried again.
                done.append(ends.a.run(f"ip {line}", check=False).returncode)

    thread = threading.Thread(target=insert)
    thread.start()
    while thread.is_alive():
        svti.send_udp(ends.a, [(INSIDE, 9)])
        thread.join(0.2)
    for line, status in zip(lines, done):
        if status:
            ends.a.run(f"ip {line}", check=False)
    there = len(ends.a.policies()), len(ends.a.sas())
    assert there[0] > count // 2 and there[1] > count // 2
    wait_until(lambda: (len(svti.spd(ends.a, "svti1")), len(svti.sad(ends.a, "svti1"))) == there, "the rescan finds what could not be indexed", 60)
    ends.protect()
    ends.a.ping_until(INSIDE)
    capture.assert_only_ike_and_esp(["192.168.0.0/16", "10.7.0.0/16"])


def mutated(rng, body):
    body = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        kind = rng.randrange(4)
        if kind == 0 and body:
            body[rng.randrange(len(body))] = rng.randrange(256)
        elif kind == 1 and body:
            at = rng.randrange(len(body))
            del body[at : at + rng.randrange(1, 9)]
        elif kind == 2:
            at = rng.randrange(len(body) + 1)
            body[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif len(body) >= 4:
            at = rng.randrange(len(body) // 4) * 4
            body[at : at + 4] = struct.pack("=I", rng.choice((0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF, rng.randrange(1 << 32))))
    return bytes(body)


@pytest.mark.limit(3600)
def test_random_netlink(lab):
    """Well-formed and damaged messages of rtnetlink, XFRM and generic netlink, in random order, under traffic."""
    seed = int(os.environ.get("ROUGH_SEED", "0")) or int(time.time())
    rng = random.Random(seed)
    ends = Ends(lab)
    ends.protect()
    ends.a.ping_ok(INSIDE)
    a = ends.a
    family = svti.genl_family(a)
    sent = refused = 0

    def link(name):
        data = svti.attr(1, rng.randrange(1, 6)) if rng.random() < 0.8 else b""
        if rng.random() < 0.5:
            data += svti.sp_hash_attrs(rng.choice((4, 6)), rng.randrange(40), rng.randrange(140))
        if rng.random() < 0.3:
            data += svti.attr(2, rng.randrange(1, 12))
        if rng.random() < 0.3:
            data += svti.attr(7, bytes([rng.randrange(3)]))
        more = svti.attr(4, rng.choice((60, 1280, 1400, 9000, 70000))) if rng.random() < 0.2 else b""
        return svti.link_message(name, data=data, more=more)

    with flood(ends):
        for _ in until(FUZZ_SECONDS):
            name = f"svti{rng.randrange(1, 6)}"
            kind = rng.randrange(6)
            if kind == 0:
                message = (16, rng.choice((0, 0x600, 0x400)), link(name), 0)
            elif kind == 1:
                message = (17, 0, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + svti.attr(3, name), 0) if rng.random() < 0.2 else (18, 0, svti.link_message(name), 0)
            elif kind == 2:
                flags = rng.choice((0, 0x300))
                body = struct.pack("=BBH", rng.randrange(5), 1, 0) + svti.attr(1, rng.randrange(12))
                body += b"".join(svti.attr(k, rng.randbytes(rng.choice((1, 2, 4, 16)))) for k in rng.sample(range(2, 12), rng.randrange(9)))
                message = (family, flags, body, 16)
            elif kind == 3:
                # The XFRM side is the kernel's own parser; the events are what is of interest here.
                n = rng.randrange(1, 6)
                line = rng.choice(
                    (
                        sa("10.0.0.1", f"10.0.0.{rng.randrange(2, 9)}", rng.randrange(0x100, 0x140), n, rng.randrange(4), verb=rng.choice(("add", "update"))),
                        policy(f"10.{rng.randrange(4)}.0.0/{rng.randrange(8, 33)}", "0.0.0.0/0", rng.choice(("in", "out", "fwd")), n, "10.0.0.1", "10.0.0.2", rng.randrange(3), rng.randrange(4), verb=rng.choice(("add", "update"))),
                        f"xfrm state {rng.choice(('flush', 'deleteall'))}",
                        "xfrm policy flush",
                        f"link set svti1 {rng.choice(('up', 'down'))}",
                        f"addr {rng.choice(('add', 'del'))} 10.0.0.{rng.randrange(3, 9)}/32 dev lo",
                    )
                )
                refused += a.run(f"ip {line}", check=False).returncode != 0
                sent += 1
                continue
            else:
                message = (rng.choice((16, 18, family)), rng.choice((0, 0x300, 0x600)), mutated(rng, link(name)), 0)
                if message[0] == family:
                    message = (*message[:3], 16)
            sent += 1
            try:
                svti.request(a, *message)
            except svti.Refused:
                refused += 1
            except OSError:
                refused += 1
    print(f"seed {seed}: {sent} messages, {refused} refused")
    assert sent > refused > 0
    # What is left still works.
    for n in range(1, 6):
        if svti.exists(a, f"svti{n}"):
            a.run(f"ip link delete svti{n}", check=False)
    a.ip("xfrm state flush", "xfrm policy flush")
    ends.b.ip("xfrm state flush", "xfrm policy flush")
    ends.svti(a, "svti1", 1, 1, 1)
    ends.protect()
    ends.a.ping_until(INSIDE)


def test_zz_nothing_is_leaked(kernel_log):
    for _ in range(2):
        (DEBUG / "kmemleak").write_text("scan")
        time.sleep(6)
    leaks = [block for block in re.split(r"(?=^unreferenced object)", (DEBUG / "kmemleak").read_text(), flags=re.MULTILINE) if "svti" in block]
    assert not leaks, "\n".join(leaks[:5])

# SPDX-License-Identifier: Apache-2.0
"""Rough handling of the module, on the kernel of scripts/debug-kernel: what KASAN, lockdep, DEBUG_OBJECTS and PROVE_RCU have to say about it
fails a test (the kernel's log is looked at after each), and kmemleak is asked at the end.

ROUGH_SECONDS is the length of each flood, ROUGH_FUZZ_SECONDS that of the random netlink, ROUGH_SEED its seed: the same seed sends the same messages.
"""
import contextlib
import ctypes
import errno
import os
import pathlib
import platform
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
INSIDE = "192.168.1.2"
LIBC = ctypes.CDLL(None, use_errno=True)
pytestmark = pytest.mark.limit(1800)


@pytest.fixture(scope="module", autouse=True)
def debugfs():
    if not (DEBUG / "kmemleak").exists():
        subprocess.run(["mount", "-t", "debugfs", "debugfs", str(DEBUG)], check=True)
    assert (DEBUG / "kmemleak").exists() and (DEBUG / "failslab").exists(), "this is not the kernel of scripts/debug-kernel"
    (DEBUG / "kmemleak").write_text("clear")


@contextlib.contextmanager
def flood(ends, *more, pace="-f"):
    """Pings both ways, large and small, as fast as they go, or at `pace`."""
    lines = [(ends.a, f"ping -n {pace} {INSIDE}"), (ends.b, f"ping -n {pace} -s 1400 192.168.1.1"), (ends.a, f"ping -n {pace} -s 3000 fd01::2"), *more]
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
                host.ip(*(f"xfrm state delete src 10.0.0.{s} dst 10.0.0.{3 - s} proto esp spi {spi - 32 + s:#x}" for s in (1, 2) if spi > 0x1020))
    for host in (ends.a, ends.b):
        host.run("ip link set eth0 mtu 1500")
    ends.a.ping_until(INSIDE)


def asynchronous_gcm():
    """From now on AES-GCM is asynchronous: cryptd hands it to a work queue. (pcrypt would, to other CPUs, but lockdep stumbles over padata itself.)"""
    name = "cryptd(rfc4106(gcm_base(ctr(aes-generic),ghash-generic)))"
    body = b"".join(text.encode().ljust(64, b"\0") for text in ("", name, ""))
    body += struct.pack("=IIII", 3, 0xF, 0, 0) + svti.attr(1, 10000)  # CRYPTO_ALG_TYPE_AEAD; CRYPTOCFGA_PRIORITY_VAL: ahead of all others
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 21) as sock:  # NETLINK_CRYPTO, CRYPTO_MSG_NEWALG
        sock.send(struct.pack("=IHHII", 16 + len(body), 0x10, 5, 1, 0) + body)
        error = struct.unpack_from("=i", sock.recv(4096), 16)[0]
    assert error in (0, -17), f"cryptd: {os.strerror(-error)}"
    assert name in pathlib.Path("/proc/crypto").read_text()


def test_devices_go_while_packets_are_being_encrypted_elsewhere(lab):
    asynchronous_gcm()
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


def clear_text(host):
    """A capture of what must not be on the underlay. (tshark would take minutes over all that a flood sends.)"""
    return host.capture("eth0", "net 192.168.0.0/16 or net 10.7.0.0/16 or net fd01::/16")


def assert_nothing_in(capture):
    capture.stop()
    assert capture.pcap.stat().st_size == 24, "packets left in clear"  # the header of the file alone


# --- allocations that fail ---


def needs_stack_filter(test):
    """There is no such test on 6.1: on x86-64 it cannot choose by the stack trace whose allocations fail."""
    return None if platform.release().startswith("6.1.") else test


def text_of(what):
    """First address and end of the code of the module, or of one function of the kernel."""
    module = what == "[svti]"
    found = []
    for line in pathlib.Path("/proc/kallsyms").read_text().splitlines():
        words = line.split()
        if words[1] in "tT" and ((len(words) > 3 and words[3] == what) if module else words[2] == what):
            found.append(int(words[0], 16))
    assert found and found[0], f"no address of {what} in /proc/kallsyms"
    return min(found), max(found) + (0x1000 if module else 0x400)


def inject(what, percent):
    """Allocations that are made by `what`, or on its behalf, fail: of any kind, by chance or (percent = 0) when fail-nth says so."""
    first, end = text_of(what)
    for name in ("failslab", "fail_page_alloc"):
        for key, value in (
            ("task-filter", "N"),
            ("ignore-gfp-wait", "N"),
            ("interval", 1),
            ("times", -1),
            ("space", 0),
            ("verbose", 0),
            ("require-start", f"{first:#x}"),
            ("require-end", f"{end:#x}"),
            ("probability", percent),
        ):
            (DEBUG / name / key).write_text(str(value))
    (DEBUG / "fail_page_alloc" / "min-order").write_text("0")


@contextlib.contextmanager
def failing_allocations(percent):
    inject("[svti]", percent)
    try:
        yield
    finally:
        for name in ("failslab", "fail_page_alloc"):
            (DEBUG / name / "probability").write_text("0")


# What is said when there is no memory; EINVAL by device_add(), when there is none for a name.
WITHOUT_MEMORY = (errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN, errno.EINVAL)


def fail_each(action, undo, what="[svti]", most=400):
    """Calls action() again and again: the first allocation fails, the second, and so on until it needs no more. action() raises OSError when it is
    refused for that, else undo() follows. Returns how many there were."""
    inject(what, 0)
    nth = pathlib.Path(f"/proc/self/task/{threading.get_native_id()}/fail-nth")
    refused = 0
    for n in range(1, most):
        nth.write_text(str(n))
        try:
            action()
            done = True
        except (OSError, svti.Refused) as error:
            assert error.errno in WITHOUT_MEMORY, f"allocation {n}: {error}"
            done = False
        reached = nth.read_text().strip() == "0"
        nth.write_text("0")
        if done:
            undo()
        refused += not done
        if not reached:
            assert done, "refused, though every allocation was granted"
            print(f"{n - 1} allocations, {refused} of them are needed")
            return n - 1
    raise AssertionError(f"more than {most} allocations")


@needs_stack_filter
def test_each_allocation_for_an_interface_fails_once(lab):
    host = lab.host("a")
    host.ip("link add eth0 type dummy", "link set eth0 up")
    lines = [policy(f"10.{n % 7}.{n}.0/{20 + n % 7}", "0.0.0.0/0", "out", 1, "10.0.0.1", "10.0.0.2", priority=n) for n in range(40)]
    host.ip(*lines, *(sa("10.0.0.1", f"10.0.1.{n}", 0x500 + n, 1) for n in range(10)))
    made = fail_each(lambda: svti.create(host, "svti1", 1), lambda: svti.delete(host, "svti1"))
    assert made > 10

    # What exists is indexed as if nothing had been.
    svti.create(host, "svti1", 1)
    wait_until(lambda: (len(svti.spd(host, "svti1")), len(svti.sad(host, "svti1"))) == (40, 10), "all is indexed", 60)

    def up(flags):
        svti.request(host, svti.RTM_NEWLINK, 0, struct.pack("=BxHiII", 0, 0, svti.index_of(host, "svti1"), flags, 1))

    assert fail_each(lambda: up(1), lambda: up(0)) > 0
    for data in (svti.sp_hash_attrs(4, 16, 16), svti.attr(2, svti.index_of(host, "eth0")), svti.attr(7, b"\1")):
        default = svti.sp_hash_attrs(4, 32, 32)
        fail_each(lambda: svti.change(host, "svti1", data=data), lambda: svti.change(host, "svti1", data=default))
        assert len(svti.spd(host, "svti1")) == 40
    fail_each(lambda: svti.spd(host, "svti1"), lambda: None)
    fail_each(lambda: svti.trace(host, "svti1", "10.1.1.1", "10.2.2.2"), lambda: None)
    svti.delete(host, "svti1")


@needs_stack_filter
def test_each_allocation_for_a_namespace_fails_once():
    def in_a_thread(what):
        thread = threading.Thread(target=what)
        thread.start()
        thread.join()

    def all_of_it():
        def action():
            if LIBC.unshare(0x40000000):  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), "unshare")

        fail_each(action, lambda: None)

    in_a_thread(all_of_it)


@needs_stack_filter
def test_each_allocation_for_the_module_fails_once():
    module = os.open(f"{os.environ['SVTI_STAGE']}/svti.ko", os.O_RDONLY)
    wait_until(lambda: subprocess.run(["rmmod", "svti"], capture_output=True).returncode == 0, "nothing uses the module", 60)

    def load():
        if LIBC.syscall(313, module, b"", 0):  # finit_module
            raise OSError(ctypes.get_errno(), "finit_module")

    loaded = fail_each(load, lambda: subprocess.run(["rmmod", "svti"], check=True), what="do_init_module")
    assert loaded > 5
    load()
    os.close(module)


@needs_stack_filter
def test_without_memory_nothing_is_let_through_and_all_is_repaired(lab):
    # Policies and SAs are inserted while the module gets no memory to index them: it drops meanwhile, and a rescan finds what it missed.
    ends = Ends(lab)
    capture = clear_text(ends.b)
    count = 50
    lines = [policy("0.0.0.0/0", f"10.7.{n}.0/24", "out", 1, "10.0.0.1", "10.0.0.2") for n in range(count)]
    lines += [sa("10.0.0.1", f"10.0.1.{n}", 0x500 + n, 1) for n in range(count)]
    with failing_allocations(60):
        for at in range(0, len(lines), 10):
            ends.a.ip(*lines[at : at + 10])
            svti.send_udp(ends.a, [(INSIDE, 9), ("fd01::2", 9)])
    assert (len(ends.a.policies()), len(ends.a.sas())) == (count, count)
    wait_until(lambda: (len(svti.spd(ends.a, "svti1")), len(svti.sad(ends.a, "svti1"))) == (count, count), "the rescan finds what could not be indexed", 60)
    ends.protect()
    ends.a.ping_until(INSIDE)
    assert_nothing_in(capture)


@needs_stack_filter
def test_packets_without_memory(lab):
    ends = Ends(lab)
    ends.protect()
    capture = clear_text(ends.b)
    rng = random.Random(3)
    with flood(ends):
        for _ in until(SECONDS / 2):
            with failing_allocations(30):
                # Bundles are built anew, packets wait.
                ends.a.ip("route add 203.0.113.0/24 dev eth0", "route del 203.0.113.0/24")
                for host in (ends.a, ends.b):
                    host.run("ip xfrm state flush")
                time.sleep(rng.random())
                ends.states()
                time.sleep(rng.random())
    ends.a.ping_until(INSIDE)
    ends.a.ping_until("fd01::2")
    assert_nothing_in(capture)


# --- random netlink ---


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
    print(f"ROUGH_SEED={seed}")
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

    with flood(ends, pace="-i 0.1"):  # a flood would leave it two messages a second
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


def test_zz_nothing_is_leaked_and_the_checks_were_on():
    for _ in range(2):
        (DEBUG / "kmemleak").write_text("scan")
        time.sleep(6)
    blocks = re.split(r"(?=^unreferenced object)", (DEBUG / "kmemleak").read_text(), flags=re.MULTILINE)
    leaks = [block for block in blocks if re.search(r"svti|xfrm|dst_alloc", block)]
    assert not leaks, f"{len(leaks)} leaks\n" + "\n".join(leaks[:5])
    # lockdep turns itself off when it has something to say, or has run out of room.
    assert re.search(r"debug_locks: +1", pathlib.Path("/proc/lockdep_stats").read_text()), "lockdep was off"

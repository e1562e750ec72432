# SPDX-License-Identifier: Apache-2.0
"""Measures groups of rows, in the VM. usage: guest.py STAGE RESULT-FILE PATHS GROUP...

                        lan ─ 192.168.1.0/24 ─ DUT ─ wan ══ ESP ══ peer
    transmit   sent on the tunnel's device (with its route) ... until the wan takes the ESP packet
    forward    received by the lan, routed to the tunnel    ... until the wan takes the ESP packet
    receive    ESP received by the wan, decrypted, routed   ... until the lan takes the inner packet

lan and wan are devices of svti_bench.ko, which swallow what is sent on them and count it. The ESP packets for "receive" are
what the peer, another namespace, has sent before, kept by its wan.
"""
import json
import os
import shlex
import subprocess
import sys
import time

from kernel import Namespace, Policies, leave, links, run, xfrm_errors
from rows import groups

PROC = "/proc/svti_bench"
MODES = {"xmit": 0, "forward": 1, "capture": 2, "replay": 3, "own": 4}
PACKETS, WARM_UP, FLOWS = 500, 160, 64
OUTER, PEER = 0x0A000001, 0x0A000002  # 10.0.0.1, 10.0.0.2
HERE, THERE = 0xC0A80102, 0x14000001  # 192.168.1.2, 20.0.0.1
REQID, MARK = 1, 7
SUITES = {
    "null": "enc ecb(cipher_null) '' auth digest_null ''",
    "gcm": f"aead rfc4106(gcm(aes)) 0x{'11' * 20} 128",
    "cbc": f"enc cbc(aes) 0x{'11' * 16} auth-trunc hmac(sha256) 0x{'22' * 32} 128",
}
# Pairs of prefix lengths for the shape "lengths".
LENGTHS = [(src, dst) for src in (16, 20, 24, 32) for dst in (26, 28, 30, 32)]


class RowFailed(Exception):
    """The packets of a row did not go the way that it measures; the text says where they are."""


class Shape:
    """The policies of a group, and the flows that meet some of them, spread over all."""

    def __init__(self, name, count):
        self.name, self.count = name, count
        self.flows = 1 if name in ("one", "equal", "interfaces") else min(count, FLOWS)
        if name == "flows":
            self.flows = PACKETS + WARM_UP  # each packet is the first of its flow
        self.step = {"flows": 1, "exact": 1, "prefixes": 256, "lengths": 64}.get(name, 0)
        self.per_pair = min(count, 1000)  # port policies of one pair of prefixes

    def policies(self):
        """(if_id, selector of ours, selector of theirs, port)"""
        for n in range(self.count):
            if self.name in ("one", "flows", "interfaces"):
                yield n + 1, (0, 0), (0, 0), 0
            elif self.name == "equal":
                yield n + 1, (HERE, 32), (THERE, 32), 0
            elif self.name == "exact":
                yield 1, (HERE, 32), (THERE + n, 32), 0
            elif self.name == "prefixes":
                yield 1, (HERE & ~0xFFFF, 16), ((THERE & ~0xFF) + n * 256, 24), 0
            elif self.name == "lengths":
                src, dst = LENGTHS[n % len(LENGTHS)]
                mask = ~((1 << (32 - src)) - 1)
                yield 1, (HERE & mask, src), ((THERE & ~0x3F) + n * 64 + (dst == 32), dst), 0
            elif self.name == "ports":
                pair, port = divmod(n, self.per_pair)
                yield 1, (HERE & ~0xFFFF, 16), ((THERE & ~0xFF) + pair * 256, 24), 5000 + port

    def thresholds(self):
        """Stock hash thresholds (local, remote): as the daemon sets them for such selectors."""
        return {"prefixes": (16, 24), "ports": (16, 24), "lengths": (16, 26)}.get(self.name, (32, 32))

    def measured_ids(self):
        """The interfaces that are measured: the first and the last."""
        return [1] if self.name not in ("equal", "interfaces") or self.count == 1 else [1, self.count]

    def traffic(self):
        """What is sent from here."""
        stride = max(self.count // self.flows, 1)
        if self.name == "ports":
            stride = max(self.per_pair // self.flows, 1)
            ports = dict(sport=1234, dport=5000, pstep=stride)
            last_pair = (self.count - 1) // self.per_pair
            there, dstep = THERE + last_pair * 256, 0
        else:
            ports = dict(sport=1234, dport=5001, pstep=0)
            there, dstep = THERE, self.step * stride
        return dict(saddr=HERE, daddr=there, sstep=0, dstep=dstep, flows=self.flows, **ports)


runs = 0  # of svti_bench.ko so far: by their number the profile knows them


def bench(namespace, mode, device, sink, size, traffic, packets=PACKETS):
    """One run of svti_bench.ko; its result as numbers."""
    global runs
    runs += 1
    namespace.enter()
    values = dict(mode=MODES[mode], device=device, sink=sink, packets=packets, warm_up=WARM_UP, size=size)
    values.update(saddr=f"{traffic['saddr']:08x}", daddr=f"{traffic['daddr'] & 0xFFFFFFFF:08x}")
    values.update((key, traffic[key]) for key in ("flows", "sstep", "dstep", "sport", "dport", "pstep"))
    file = os.open(PROC, os.O_RDWR)
    try:
        os.write(file, " ".join(f"{key}={value}" for key, value in values.items()).encode())
        return {key: int(value) for key, value in (word.split("=") for word in os.pread(file, 512, 0).decode().split())}
    except OSError as error:
        raise RowFailed(f"svti_bench {mode} on {device}: {error.strerror}") from error
    finally:
        os.close(file)


def device_packets(device, sent):
    """What a device of the namespace that is entered has counted, of those sent or those received."""
    with open(f"/proc/{os.getpid()}/net/dev") as file:
        for line in file:
            name, _, counters = line.partition(":")
            if name.strip() == device:
                return int(counters.split()[9 if sent else 1])
    raise RowFailed(f"there is no device {device}")


class Bed:
    """The namespaces of one group, and what stands in them for one kind of tunnel after the other."""

    def __init__(self, stage, group):
        self.stage, self.group = stage, group
        self.shape = Shape(group.shape, group.count)
        number = groups().index(group)
        self.dut, self.peer = Namespace(f"dut{number}"), Namespace(f"peer{number}")
        for namespace, here in ((self.dut, "10.0.0.1"), (self.peer, "10.0.0.2")):
            namespace.enter()
            for family, key, value in (("ipv6", "conf/default/disable_ipv6", 1), ("ipv4", "ip_forward", 1)):
                with open(f"/proc/sys/net/{family}/{key}", "w") as file:
                    file.write(str(value))
            namespace.ip("link set lo up", "link add wan type svti_bench", "link set wan up", f"addr add {here}/24 dev wan")
        self.dut.ip("link add lan type svti_bench", "link set lan up", "addr add 192.168.1.1/24 dev lan")
        left, right = self.shape.thresholds()
        self.dut.ip(f"xfrm policy set hthresh4 {left} {right}")
        self.loaded = False

    def close(self):
        leave()
        self.dut.remove()
        self.peer.remove()
        if self.loaded:
            unload()

    def policies(self, directions, mark=0):
        """For the tunnel devices with an id, or by the mark for a VTI."""
        self.dut.enter()
        for direction in directions:
            outer = (OUTER, PEER) if direction == "out" else (PEER, OUTER)
            with Policies(direction, outer, REQID, mark) as batch:
                for if_id, ours, theirs, port in self.shape.policies():
                    if direction == "out":
                        batch.add(0 if mark else if_id, ours, theirs, port)
                    else:
                        batch.add(0 if mark else if_id, theirs, ours, port)

    def states(self, kind):
        """One pair for each interface that is measured; the peer has only the half it sends with, on an xfrm interface."""
        suite = SUITES[self.group.cipher]
        for if_id in self.shape.measured_ids():
            mine = f"mark {MARK}" if kind == "vti" else f"if_id {if_id}"
            out = f"src 10.0.0.1 dst 10.0.0.2 proto esp spi {0x1000 + if_id} reqid {REQID} mode tunnel"
            back = f"src 10.0.0.2 dst 10.0.0.1 proto esp spi {0x200000 + if_id} reqid {REQID} mode tunnel replay-window 32"
            self.dut.ip(f"xfrm state add {out} {mine} {suite}", f"xfrm state add {back} {mine} {suite}")
            self.peer.ip(
                f"link add tun{if_id} type xfrm if_id {if_id}",
                f"link set tun{if_id} up",
                f"xfrm state add {back.replace(' replay-window 32', '')} if_id {if_id} {suite}",
                f"xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out if_id {if_id} "
                f"tmpl src 10.0.0.2 dst 10.0.0.1 proto esp reqid {REQID} mode tunnel",
            )

    def forget_states(self):
        self.dut.ip("xfrm state flush")
        self.peer.ip("xfrm state flush", "xfrm policy flush", *(f"link del tun{n}" for n in self.shape.measured_ids()))

    def tunnels(self, kind):
        """Makes the devices of a kind. As many as there are ids only where it is their number that is measured."""
        self.dut.enter()
        if kind == "vti":
            self.dut.ip(f"link add vti1 type vti local 10.0.0.1 remote 10.0.0.2 key {MARK}", "link set vti1 up")
            with open("/proc/sys/net/ipv4/conf/vti1/disable_policy", "w") as file:
                file.write("1")  # as the manuals of VTI have it
            return
        if kind == "svti":
            run("insmod", f"{self.stage}/svti.ko")
            self.loaded = True
        ids = range(1, self.group.count + 1) if self.shape.name == "interfaces" else self.shape.measured_ids()
        began = time.monotonic_ns()
        links(kind, ((f"{kind}{n}", n) for n in ids))
        # Time is instructions: those of the kernel and of this program, for each interface.
        self.create = (time.monotonic_ns() - began) // len(ids)

    def remove_tunnels(self, kind):
        """By group, which takes one announcement and not thousands."""
        if kind == "xfrm" and self.shape.name == "interfaces" and self.group.count > 1:
            return  # the namespace takes them with it
        if kind == "svti":
            # With all of its interfaces, and before another kind has its turn.
            unload()
            self.loaded = False
            return
        self.dut.ip(*(f"link del {kind}{n}" for n in self.shape.measured_ids()))

    def measure(self, kind, path, size, if_id):
        """One row for one kind; raises RowFailed unless every packet went its way."""
        device = f"{kind}{if_id}"
        self.dut.ip(f"route replace 20.0.0.0/6 dev {device}")
        self.dut.enter()
        traffic = self.shape.traffic()
        total = PACKETS + WARM_UP
        if path == "receive":
            back = dict(traffic, saddr=traffic["daddr"], daddr=traffic["saddr"], sstep=traffic["dstep"], dstep=0)
            self.capture(if_id, size, back)
            self.dut.enter()
        if self.shape.name == "flows" and kind == "svti":
            # What the run before has left in the flow cache is forgotten with any change of the SPD.
            selector = "src 203.0.113.0/24 dst 203.0.113.0/24 dir out if_id 1"
            self.dut.ip(f"xfrm policy add {selector} action block", f"xfrm policy delete {selector}")
            self.dut.enter()
        errors = xfrm_errors()
        known = svti_counters(device) if kind == "svti" else {}
        before = device_packets(device, path != "receive")
        if path == "transmit":
            result = bench(self.dut, "xmit", device, "wan", size, traffic)
        elif path == "forward":
            result = bench(self.dut, "forward", "lan", "wan", size, traffic)
        else:
            result = bench(self.dut, "replay", "wan", "lan", size, back)
        crossed = device_packets(device, path != "receive") - before
        missed = {k: v - errors[k] for k, v in xfrm_errors().items() if v != errors[k]}
        result["run"] = runs - 1
        if self.shape.name == "interfaces":
            result["create"] = self.create
        if result["sink_packets"] != total or crossed != total or missed:
            raise RowFailed(f"of {total} packets {result['sink_packets']} came out and {crossed} crossed {device}; XFRM drops: {missed or 'none'}")
        if kind == "svti":
            self.check_caches(path, known, svti_counters(device), result)
        smallest = total * (size + 14 + (20 + 8 if path != "receive" else 0))
        if result["sink_bytes"] < smallest:
            raise RowFailed(f"{result['sink_bytes']} octets came out, fewer than {smallest}: these are not the packets")
        if path == "transmit":
            own = bench(self.dut, "own", device, "wan", size, traffic)
            result.update(own=own["own"], bundles=own["bundles"], own_run=runs - 1)
            if kind == "svti" and own["bundles"]:
                raise RowFailed(f"{own['bundles']} bundles for {PACKETS} packets of one SA: the cache does not hold")
        return result

    def check_caches(self, path, before, after, result):
        """That the caches held as the row means it: else it measures something else."""
        lookups = "rx-full-lookup" if path == "receive" else "tx-full-lookup"
        looked_up = after[lookups] - before[lookups]
        built = after["tx-bundle-built"] - before["tx-bundle-built"]
        total = PACKETS + WARM_UP
        result["hits"] = round(1 - looked_up / total, 3)
        if built > 1:
            raise RowFailed(f"{built} bundles for {total} packets of one SA: the cache does not hold")
        if self.shape.name == "flows" and looked_up != total:
            raise RowFailed(f"{looked_up} lookups for {total} packets of as many flows")
        # Each flow has to be looked up once; two in one place of the cache take turns.
        if self.shape.name != "flows" and looked_up > 0.25 * total + self.shape.flows:
            raise RowFailed(f"{looked_up} lookups for {total} packets of {self.shape.flows} flows: the cache does not hold")

    def capture(self, if_id, size, traffic):
        """ESP packets from the peer, for "replay"."""
        self.peer.ip(f"route replace default dev tun{if_id}")
        sent = bench(self.peer, "capture", f"tun{if_id}", "wan", size, traffic)["sink_packets"]
        if sent != PACKETS + WARM_UP:
            raise RowFailed(f"the peer sent {sent} of {PACKETS + WARM_UP} packets")


def svti_counters(device):
    """What `ethtool -S` tells, of the namespace that is entered."""
    done = subprocess.run(["ethtool", "-S", device], capture_output=True, text=True, check=True)
    return {name.strip(): int(value) for name, _, value in (line.partition(":") for line in done.stdout.splitlines()[1:])}


def unload():
    for _ in range(100):
        try:
            run("rmmod", "svti")
            return
        except RuntimeError as error:
            last = error
            time.sleep(0.2)
    raise last


def keep_symbols(group, kind, result_file):
    """The addresses of functions, which for a module change with each time that it is loaded; for the profile alone."""
    folder = os.path.dirname(result_file)
    if not os.path.exists(f"{folder}/profile-wanted"):
        return None
    name = f"kallsyms-{group.name.replace('/', '-')}-{kind}"
    with open("/proc/kallsyms") as symbols, open(f"{folder}/{name}", "w") as file:
        file.write(symbols.read())
    return name


def measure_group(stage, group, paths, result_file, record):
    bed = Bed(stage, group)
    # An SVTI does not look at fwd policies, and svti-iked makes none; the others drop what they have none for.
    policies = {"vti": ("out", "in", "fwd"), "svti": ("out", "in"), "xfrm": ("fwd",)}
    try:
        for kind in group.kinds:
            bed.policies(policies[kind], MARK if kind == "vti" else 0)
            bed.tunnels(kind)
            bed.states(kind)
            symbols = keep_symbols(group, kind, result_file)
            for path in paths:
                for size in group.sizes:
                    for if_id in bed.shape.measured_ids():
                        try:
                            values = bed.measure(kind, path, size, if_id)
                            record(group, path, size, kind, if_id, dict(values, symbols=symbols))
                        except RowFailed as error:
                            record(group, path, size, kind, if_id, {"error": str(error)})
            bed.forget_states()
            bed.remove_tunnels(kind)
            if kind == "vti":
                bed.dut.ip("xfrm policy flush")
    finally:
        bed.close()


def main(stage, result_file, paths, names):
    run("modprobe", "-a", "xfrm_user", "esp4", "xfrm_interface", "ip_vti", "crypto_null", "authenc", "xfrm4_tunnel", "aesni_intel")
    # So that no module is looked for, and none has its constructors run, while packets are counted.
    for suite in SUITES.values():
        state = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 1 mode tunnel " + suite
        run("unshare", "--net", "ip", "xfrm", "state", "add", *shlex.split(state))
    run("insmod", f"{stage}/svti_bench.ko")
    results = []

    def record(group, path, size, kind, if_id, values):
        row = f"{path}/{group.name}/{size}"
        results.append(dict(row=row, path=path, cipher=group.cipher, shape=group.shape, count=group.count, size=size, kind=kind, if_id=if_id, **values))
        shown = values.get("error") or f"{values['median']:>7}" + (f" own {values['own']}" if "own" in values else "")
        print(f"{row:<40} {kind:<5}{'' if if_id == 1 else f'id {if_id}'} {shown}", flush=True)
        with open(result_file, "w") as file:
            json.dump(results, file)

    for group in groups():
        if group.name in names:
            try:
                measure_group(stage, group, paths, result_file, record)
            except (RuntimeError, OSError, RowFailed) as error:
                for path in paths:
                    for size in group.sizes:
                        record(group, path, size, "set-up", 1, {"error": str(error)})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4:]))

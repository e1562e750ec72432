#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What control costs with many VPNs, side by side with strongSwan, in one run on one machine.

Both daemons run here, in network and mount namespaces of their own, ours with `--kernel null`; no module, no VM, and nothing of the system
is touched. Each loads the same VPNs (one PSK, one policy, nothing started) with its own tool, from the start of the tool to its end:
`ikectl load` and `swanctl --load-all`. The two take turns; the median of the rounds counts. CPU is that of daemon and tool together.

Then so many IKE SAs are set up between an svti-iked with as many VPNs and a second one, and after it between it and charon, and are
listed: `ikectl show state` (the applied configuration of all VPNs, IKE SAs with a CHILD SA each) beside `swanctl --list-sas`. charon has
no kernel to install CHILD SAs in here, so its IKE SAs have none: it lists less than we do.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET_RATIO, TARGET_LEAF_MS = 0.2, 100
TARGET_LIST_RATIO, TARGET_LIST_MIB = 1.0, 16
PEER = "bench-peer"  # the network namespace of whoever answers
TICK = os.sysconf("SC_CLK_TCK")


def addresses(i):
    """Of VPN `i`: the peer's address, and the network behind it."""
    return f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", f"172.{16 + (i >> 16)}.{i >> 8 & 255}.{i & 255}/32"


IKE_AND_ESP = """    ike-policy-template i
        ike-proposal 1
            aead-alg aes128-gcm-128
            prf-alg hmac-sha256
            dh-group curve25519
            ..
        ..
    ipsec-policy-template c
        start-action START
        close-action none
        dpd-action clear
        esp-proposal 1
            aead-alg aes128-gcm-128
            ..
        ..
"""


def our_text(count):
    """Many VPNs with a key each; nothing is started."""
    out = ["ike\n", IKE_AND_ESP.replace("START", "none")]
    for i in range(count):
        peer, net = addresses(i)
        out.append(
            f"""    vpn vpn{i}
        ike-policy template i
        ipsec-policy template c
        local-address 192.0.2.1
        remote-address {peer}
        local-id gw.example.net
        remote-id site{i}.example.net
        security-policy trunk
            local-ts subnet 192.168.0.0/16
            remote-ts subnet {net}
            ..
        ..
    pre-shared-key k{i}
        id site{i}.example.net
        secret secret-number-{i}
        ..
"""
        )
    return "".join([*out, "    ..\n"])


KEY = "    pre-shared-key all\n        secret one-secret-for-all\n        ..\n"


def initiators_text(count):
    """Many VPNs that are all started, to as many addresses of one peer."""
    out = ["ike\n", IKE_AND_ESP.replace("START", "start")]
    for i in range(count):
        peer, net = addresses(i)
        out.append(
            f"""    vpn vpn{i}
        ike-policy template i
        ipsec-policy template c
        local-address 192.0.2.1
        remote-address {peer}
        local-id site{i}.example.net
        remote-id gw.example.net
        security-policy trunk
            local-ts subnet 192.168.0.0/16
            remote-ts subnet {net}
            ..
        ..
"""
        )
    return "".join([*out, KEY, "    ..\n"])


def answerer_text():
    return (
        "ike\n    global-options\n        dos-protection\n            cookie-threshold 0\n            block-threshold 0\n            ..\n        ..\n"
        + IKE_AND_ESP.replace("START", "none")
        + """    vpn all
        ike-policy template i
        ipsec-policy template c
        local-id gw.example.net
        security-policy trunk
            local-ts subnet 172.16.0.0/12
            remote-ts subnet 192.168.0.0/16
            ..
        ..
"""
        + KEY
        + "    ..\n"
    )


SWANCTL_ANSWERER = """connections {
  all {
    version = 2
    proposals = aes128gcm16-prfsha256-x25519
    unique = never
    local {
      auth = psk
      id = gw.example.net
    }
    remote {
      auth = psk
    }
    children {
      trunk {
        local_ts = 172.16.0.0/12
        remote_ts = 192.168.0.0/16
        esp_proposals = aes128gcm16
      }
    }
  }
}
secrets {
  ike-all {
    secret = one-secret-for-all
  }
}
"""


def swanctl_text(count):
    connections, secrets = [], []
    for i in range(count):
        peer, net = addresses(i)
        connections.append(
            f"""  vpn{i} {{
    version = 2
    local_addrs = 192.0.2.1
    remote_addrs = {peer}
    proposals = aes128gcm16-prfsha256-x25519
    local {{
      auth = psk
      id = gw.example.net
    }}
    remote {{
      auth = psk
      id = site{i}.example.net
    }}
    children {{
      trunk {{
        local_ts = 192.168.0.0/16
        remote_ts = {net}
        esp_proposals = aes128gcm16
      }}
    }}
  }}
"""
        )
        secrets.append(f"  ike-{i} {{\n    id = site{i}.example.net\n    secret = secret-number-{i}\n  }}\n")
    return "connections {\n" + "".join(connections) + "}\nsecrets {\n" + "".join(secrets) + "}\n"


BEGUN = time.monotonic()


def progress(text):
    print(f"[{time.monotonic() - BEGUN:6.1f} s] {text}", file=sys.stderr, flush=True)


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Daemon:
    """A daemon with a VICI socket in a folder of its own; ended with the block."""

    def __init__(self, folder, command, socket, env=None, netns=None):
        folder.mkdir()
        self.folder, self.socket = folder, socket
        self.command = ["ip", "netns", "exec", netns, *command] if netns else command
        self.env = {**os.environ, **(env or {})}

    def __enter__(self):
        self.log = (self.folder / "log").open("w")
        self.process = subprocess.Popen([str(word) for word in self.command], stdout=self.log, stderr=self.log, env=self.env)
        for _ in range(600):
            if self.socket.is_socket():
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"{self.command[0]} does not run:\n" + self.log_text())

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def log_text(self):
        return (self.folder / "log").read_text()[-2000:]

    def run(self, *command, output=None):
        """Runs a tool against the daemon: seconds from its start to its end, those of CPU of both, and to its first output."""
        command = [str(word) for word in command]
        cpu = cpu_of(self.process.pid)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        first = None
        with tempfile.TemporaryFile() as errors:
            with subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=errors) as tool:
                while piece := os.read(tool.stdout.fileno(), 1 << 20):
                    first = first or time.monotonic() - start
                    if output is not None:
                        output.append(piece)
            seconds = time.monotonic() - start
            errors.seek(0)
            if tool.returncode:
                raise SystemExit(f"{' '.join(command)} failed:\n{errors.read()[-2000:].decode()}\n{self.log_text()}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = cpu_of(self.process.pid) - cpu + after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return {"wall": seconds, "cpu": cpu, "first": first or seconds}

    def memory_mib(self, what="VmRSS"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{what}:")[1].split()[0]) / 1024

    def forget_peak(self):
        """From here on VmHWM counts anew."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


def charon(folder, netns=None):
    socket, settings = folder / "charon.vici", folder / "strongswan.conf"
    daemon = Daemon(folder, ["charon-systemd"], socket, {"STRONGSWAN_CONF": str(settings)}, netns)
    settings.write_text(
        f"""
charon-systemd {{
  load = random nonce openssl kdf hmac sha1 sha2 curve25519 gmp kernel-netlink socket-default vici
  install_routes = no
  dos_protection = no
  ikesa_table_size = 4096
  ikesa_table_segments = 16
  plugins {{
    vici {{
      socket = unix://{socket}
    }}
  }}
  syslog {{
    daemon {{
      default = -1
    }}
  }}
}}
swanctl {{
  load = random openssl
  socket = unix://{socket}
}}
"""
    )
    return daemon


class Iked(Daemon):
    def __init__(self, folder, build, netns=None):
        socket, empty = folder / "iked.vici", folder / "empty.conf"
        command = [build / "userspace/daemon/svti-iked", "--kernel", "null", "--config", empty, "--socket", socket]
        super().__init__(folder, [*command, "--run-dir", folder / "run", "--state-dir", folder / "state"], socket, netns=netns)
        empty.write_text("ike\n    ..\n")
        self.tool = (build / "tools/ikectl/ikectl", "--socket", socket)

    def ctl(self, *args, output=None):
        return self.run(*self.tool, *args, output=output)


class Results:
    """The rows of the table, and which missed what is to be reached."""

    def __init__(self):
        self.rows = []

    def compare(self, name, ours, theirs, target=None):
        for kind in ("wall", "cpu"):
            mine = statistics.median(one[kind] for one in ours)
            other = statistics.median(one[kind] for one in theirs)
            self.add(f"{name}, {kind}", mine, "s", strongswan=other, ratio=mine / other, target=target)

    def add(self, name, value, unit, strongswan=None, ratio=None, target=None):
        judged = value if ratio is None else ratio
        row = {"row": name, "svti": round(value, 4), "unit": unit}
        if strongswan is not None:
            row |= {"strongswan": round(strongswan, 4), "ratio": round(ratio, 4)}
        if target is not None:
            row |= {"target": target, "met": judged <= target}
        self.rows.append(row)

    def missed(self):
        return [row["row"] for row in self.rows if row.get("met") is False]

    def table(self):
        lines = [f"| {'row':44} | {'svti':>11} | {'strongSwan':>11} | {'ratio':>6} | to reach |", "|---|--:|--:|--:|--:|"]
        for row in self.rows:
            value = f"{row['svti']:.4g} {row['unit']}"
            other = f"{row['strongswan']:.4g} {row['unit']}" if "strongswan" in row else ""
            ratio = f"{row['ratio']:.3f}" if "ratio" in row else ""
            target = f"{row['target']}{'' if row['met'] else ' MISSED'}" if "target" in row else ""
            lines.append(f"| {row['row']:44} | {value:>11} | {other:>11} | {ratio:>6} | {target} |")
        return "\n".join(lines)


def loads(build, count, rounds, folder, results):
    """The same VPNs into both, and a leaf of one of them."""
    ours, theirs = folder / "ike.conf", folder / "swanctl.conf"
    ours.write_text(our_text(count))
    theirs.write_text(swanctl_text(count))
    loaded = {"svti": [], "strongswan": [], "svti-again": [], "strongswan-again": []}
    leaf, leaf_cpu, memory = [], [], {}
    for number in range(rounds):
        progress(f"{count} VPNs: round {number + 1} of {rounds}")
        with Iked(folder / f"svti-{number}", build) as daemon:
            loaded["svti"].append(daemon.ctl("load", ours))
            loaded["svti-again"].append(daemon.ctl("load", ours))
            for delay in (31, 32, 33, 34, 35):
                took = daemon.ctl("set", "vpn", f"vpn{count // 2}", "ike-policy", "dpd-delay", f"{delay}s")
                leaf.append(took["wall"])
                leaf_cpu.append(took["cpu"])
            memory["svti"] = daemon.memory_mib()
        with charon(folder / f"strongswan-{number}") as daemon:
            for name in ("strongswan", "strongswan-again"):
                loaded[name].append(daemon.run("swanctl", "--load-all", "--file", theirs))
            memory["strongswan"] = daemon.memory_mib()
    results.compare(f"load {count} VPNs", loaded["svti"], loaded["strongswan"], TARGET_RATIO)
    results.compare(f"load the same {count} again", loaded["svti-again"], loaded["strongswan-again"])
    results.add(f"change of one leaf, {count} VPNs, wall", statistics.median(leaf) * 1000, "ms", target=TARGET_LEAF_MS)
    results.add(f"change of one leaf, {count} VPNs, cpu", statistics.median(leaf_cpu) * 1000, "ms")
    results.add(
        f"memory with {count} VPNs", memory["svti"], "MiB", strongswan=memory["strongswan"], ratio=memory["svti"] / memory["strongswan"]
    )


def lists(build, count, rounds, folder, results):
    """The same number of IKE SAs in both, listed."""
    text, answerer, theirs = folder / "initiators.conf", folder / "answerer.conf", folder / "answerer.swanctl"
    answerer.write_text(answerer_text())
    theirs.write_text(SWANCTL_ANSWERER)

    def bring_up(initiator, child):
        """All of them, a thousand at a time: charon forgets what is half open for long."""
        for some in [*range(1000, count, 1000), count]:
            text.write_text(initiators_text(some))
            initiator.ctl("load", text)
            for _ in range(240):
                state = []
                initiator.run("swanctl", "--list-sas", "--raw", "--uri", f"unix://{initiator.socket}", output=state)
                listed = b"".join(state)
                up = listed.count(b"state=ESTABLISHED"), listed.count(b"state=INSTALLED")
                if up[0] == some and (not child or up[1] == some):
                    break
                time.sleep(0.25)
            else:
                raise SystemExit(f"of {some} IKE SAs {up[0]} came up, with {up[1]} CHILD SAs:\n{initiator.log_text()}")

    mine, other, mine_swanctl = [], [], []
    with Iked(folder / "answers", build, PEER) as answers:
        answers.ctl("load", answerer)
        with Iked(folder / "initiates", build) as daemon:
            progress(f"{count} IKE SAs between svti-iked and svti-iked")
            bring_up(daemon, True)
            progress("listing them")
            daemon.forget_peak()
            before = daemon.memory_mib()
            for _ in range(rounds):
                mine.append(daemon.ctl("show", "state"))
                mine_swanctl.append(daemon.run("swanctl", "--list-sas", "--uri", f"unix://{daemon.socket}"))
            growth = daemon.memory_mib("VmHWM") - before
    with charon(folder / "charon", PEER) as daemon:
        daemon.run("swanctl", "--load-all", "--file", theirs)
        with Iked(folder / "initiates-too", build) as initiator:
            progress(f"{count} IKE SAs between svti-iked and charon")
            bring_up(initiator, False)
            progress("listing them")
            for _ in range(rounds):
                other.append(daemon.run("swanctl", "--list-sas"))
    results.compare(f"show state of {count} SAs", mine, other, TARGET_LIST_RATIO)
    results.compare(f"swanctl --list-sas of {count} SAs", mine_swanctl, other)
    results.add(f"show state of {count} SAs, first output", statistics.median(one["first"] for one in mine) * 1000, "ms", target=TARGET_LEAF_MS)
    results.add(f"memory that listing {count} SAs takes", growth, "MiB", target=TARGET_LIST_MIB)


def network():
    """The peer's namespace, in which all of 10.0.0.0/8 is one host."""
    commands = f"""
        ip link set lo up
        ip netns add {PEER}
        ip link add wan type veth peer name wan netns {PEER}
        ip addr add 192.0.2.1/24 dev wan
        ip link set wan up
        ip -n {PEER} link set lo up
        ip -n {PEER} addr add 192.0.2.2/24 dev wan
        ip -n {PEER} link set wan up
        ip -n {PEER} route add local 10.0.0.0/8 dev lo
        ip route add 10.0.0.0/8 via 192.0.2.2
    """
    for line in commands.strip().splitlines():
        subprocess.run(line.split(), check=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench config", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="build folder of userspace")
    parser.add_argument("--vpns", default="1000,10000", metavar="N,N", help="numbers of VPNs to load")
    parser.add_argument("--sas", type=int, default=10000, metavar="N", help="IKE SAs to list; 0: skip that part")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args()
    for program in ("charon-systemd", "swanctl", "unshare", "ip"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is missing: scripts/setup installs it")
    if os.geteuid() != 0:
        raise SystemExit("needs root, for network namespaces of its own")
    if os.environ.get("SVTI_BENCH_INSIDE") != "1":
        # the file system of /run is private, and with it the names of network namespaces
        inside = ["unshare", "-mn", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh", sys.executable, "-B", *sys.argv]
        return subprocess.run(inside, env={**os.environ, "SVTI_BENCH_INSIDE": "1"}).returncode

    build = options.build.resolve()
    network()
    results = Results()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for count in (int(word) for word in options.vpns.split(",") if word):
            (part := folder / f"loads-{count}").mkdir()
            loads(build, count, options.rounds, part, results)
        if options.sas:
            (part := folder / "lists").mkdir()
            lists(build, options.sas, options.rounds, part, results)
    if options.json:
        print(json.dumps({"build": build.name, "rounds": options.rounds, "rows": results.rows}, indent=2))
    else:
        print(f"build {build.name}, median of {options.rounds} rounds, {os.cpu_count()} processors\n")
        print(results.table())
    for row in results.missed():
        print(f"missed: {row}", file=sys.stderr)
    return 1 if results.missed() else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""The laboratory of the VM tests: hosts (network namespaces), links, interfaces, captures, and daemons on them.

A `Lab` belongs to one test. It owns every namespace and process that the test makes and removes them at its end.
Nothing here sleeps and hopes: `wait_until` polls for what is to happen, and names it when it does not.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import time

CLONE_NEWNET = 0x40000000
# Where the hosts keep their files. /run is private to a test run; a UNIX socket's path must stay under 108 octets.
BASE = pathlib.Path("/run/lab")
# Every echo request of ping() carries it, so that a capture in which it is found holds clear text.
PING_PATTERN = b"svti clear text!"

# Emulation is ten to fifty times slower than the hardware, and its host may be busy: every limit of time is stretched by this.
PATIENCE = 3.0 if "QEMU TCG" in pathlib.Path("/proc/cpuinfo").read_text() else 1.0
if "-debug" in os.uname().release:  # each access to memory is looked at
    PATIENCE *= 4

_libc = ctypes.CDLL(None, use_errno=True)


class LabError(AssertionError):
    """What a test expected of the laboratory did not happen."""


def wait_until(condition, what, timeout=60.0, interval=0.1):
    """Calls `condition` until it returns something true, which is returned; LabError naming `what` after `timeout` seconds."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise LabError(f"did not happen within {timeout:.0f} s: {what}")
        time.sleep(interval)


def require(program):
    if shutil.which(program) is None:
        raise LabError(f"no program {program} here: is it built (scripts/build), are the packages installed (scripts/setup)?")


class Process:
    """A program that runs in the background on a host, its output going to `log`."""

    host = None

    def __init__(self, name, popen, log):
        self.name = name
        self.popen = popen
        self.log = log

    @property
    def running(self):
        return self.popen.poll() is None

    def output(self):
        return self.log.read_text(errors="replace")

    def wait_output(self, pattern, timeout=60.0):
        """Waits for a line that matches; returns the match."""

        def seen():
            match = re.search(pattern, self.output(), re.MULTILINE)
            if not match and not self.running:
                raise LabError(f"{self.name} ended with {self.popen.returncode} before it printed /{pattern}/:\n{self.output()[-2000:]}")
            return match

        return wait_until(seen, f"{self.name} prints /{pattern}/", timeout)

    def stop(self, sig=signal.SIGTERM, timeout=30.0):
        """Sends `sig` and waits for the end; returns the exit status. LabError when it does not end (it is then killed)."""
        if self.running:
            self.popen.send_signal(sig)
        try:
            return self.popen.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise LabError(f"{self.name} did not end within {timeout:.0f} s after signal {sig}") from None

    def kill(self):
        if self.running:
            self.popen.kill()
        self.popen.wait()


class Ping(Process):
    """A ping in the background: `ping.lost()` after `ping.finish()` tells how many of its requests went unanswered."""

    def received(self):
        return len(set(re.findall(r"icmp_seq=(\d+) ttl", self.output())))

    def wait_received(self, count, timeout=60.0):
        """Waits until `count` more replies than now are in."""
        target = self.received() + count
        wait_until(lambda: self.received() >= target, f"{count} more ping replies ({self.name})\n{self.output()[-300:]}", timeout)

    def finish(self):
        """Ends the ping; returns (sent, received)."""
        self.stop(signal.SIGINT)
        match = re.search(r"(\d+) packets transmitted, (\d+) received", self.output())
        if not match:
            raise LabError(f"no statistics from {self.name}:\n{self.output()[-1000:]}")
        return int(match[1]), int(match[2])


class Capture(Process):
    """tcpdump on one interface of a host; `stop()` before looking into `pcap`."""

    def __init__(self, name, popen, log, pcap):
        super().__init__(name, popen, log)
        self.pcap = pcap

    def stop(self, sig=signal.SIGINT, timeout=30.0):
        if not self.running:
            return self.popen.returncode
        time.sleep(0.3)  # what is on the wire now still has to reach tcpdump's buffer
        return super().stop(sig, timeout)

    def tshark(self, *args, config=None):
        """Lines that tshark prints for the capture. `config`: the folder of its settings, tables of keys among them."""
        env = {**os.environ, **({"WIRESHARK_CONFIG_DIR": str(config)} if config else {})}
        done = subprocess.run(["tshark", "-n", "-r", str(self.pcap), *args], capture_output=True, text=True, env=env)
        if done.returncode:
            raise LabError(f"tshark {shlex.join(args)}: {done.stderr}")
        return done.stdout.splitlines()

    def packets(self, display_filter):
        """One line for each packet that the display filter selects."""
        return self.tshark("-Y", display_filter)

    # IKE, ESP (fragments of it too) and what keeps an Ethernet link alive.
    ALLOWED = (
        "arp or icmpv6.type in {130..137,143} or udp.port in {500,4500} or ip.proto == 50 or ipv6.nxt == 50 or ipv6.fraghdr.nxt == 50"
    )

    def assert_only_ike_and_esp(self, inner=()):
        """No packet but IKE, ESP and neighbour discovery; no packet from or to the prefixes `inner`; no ping payload in clear; ESP was seen."""
        self.stop()
        if PING_PATTERN in self.pcap.read_bytes():
            raise LabError(f"the payload of a ping is in clear in {self.name}:\n" + "\n".join(self.packets("data")[:10]))
        clear = " or ".join([f"not ({self.ALLOWED})", *(f"{'ipv6' if ':' in p else 'ip'}.addr == {p}" for p in inner)])
        seen = self.tshark("-T", "fields", "-e", "frame.protocols", "-e", "_ws.col.Info", "-Y", clear)
        if seen:
            raise LabError(f"packets other than IKE and ESP in {self.name}:\n" + "\n".join(seen[:10]))
        if not self.count_esp():
            raise LabError(f"no ESP at all in {self.name}: the capture proves nothing")

    def count_esp(self):
        self.stop()
        return len(self.packets("esp or ip.proto == 50"))


class Host:
    """A machine: a network namespace, with a folder `dir` for the files and sockets of its daemons."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.dir = BASE / name
        self.dir.mkdir(parents=True)
        subprocess.run(["ip", "netns", "add", name], check=True)
        self._ns = os.open(f"/run/netns/{name}", os.O_RDONLY)
        self.run("ip link set lo up")

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in this host's namespace: what it opens or starts belongs there."""
        if _libc.setns(self._ns, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            _libc.setns(self.lab.home, CLONE_NEWNET)

    def close(self):
        os.close(self._ns)
        subprocess.run(["ip", "netns", "delete", self.name], check=False)

    # --- programs ---

    def run(self, command, check=True, input=None, timeout=60.0, env=None):
        """Runs a command line (a string is split as the shell does) and waits; returns CompletedProcess with text output."""
        argv = shlex.split(command) if isinstance(command, str) else [str(a) for a in command]
        require(argv[0])
        with self.entered():
            done = subprocess.run(argv, input=input, capture_output=True, text=True, timeout=timeout * PATIENCE, env={**os.environ, **(env or {})})
        if check and done.returncode:
            raise LabError(f"{self.name}: `{shlex.join(argv)}` ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def popen(self, command, name=None, cls=Process, env=None, **more):
        """Starts a command line in the background."""
        argv = shlex.split(command) if isinstance(command, str) else [str(a) for a in command]
        require(argv[0])
        name = f"{self.name}-{name or os.path.basename(argv[0])}"
        log = self.lab.new_log(name)
        with open(log, "wb") as out, self.entered():
            popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
            )
        process = cls(name, popen, log, **more)
        process.host = self
        return self.lab.own(process)

    def ip(self, *commands, family=""):
        """Several `ip` commands in one process ("addr add ...", "route add ..."): starting one is dear under emulation."""
        self.run(f"ip {family} -batch -", input="\n".join(commands) + "\n")

    def sysctl(self, key, value):
        with self.entered(), open("/proc/sys/" + key.replace(".", "/"), "w") as file:
            file.write(str(value))

    # --- interfaces ---

    def addr(self, dev, *addresses):
        """Gives `dev` addresses ("192.0.2.1/24") and sets it up."""
        self.ip(f"link set {dev} up", *(f"addr add {a} dev {dev}" + (" nodad" if ":" in a else "") for a in addresses))

    def route(self, *prefixes, via=None, dev=None):
        hop = (f" via {via}" if via else "") + (f" dev {dev}" if dev else "")
        for family in ("-4", "-6"):
            commands = [f"route add {prefix}{hop}" for prefix in prefixes if (":" in prefix) == (family == "-6")]
            if commands:
                self.ip(*commands, family=family)

    def forward(self):
        """Makes the host a router."""
        self.sysctl("net.ipv4.ip_forward", 1)
        self.sysctl("net.ipv6.conf.all.forwarding", 1)

    def svti(self, name, svti_id, dev=None, link_netns=None, mtu=None, up=True):
        """Creates an SVTI with svtictl and sets it up."""
        command = ["svtictl", "add", name, "id", str(svti_id)]
        command += ["dev", dev] if dev else []
        command += ["link-netns", link_netns] if link_netns else []
        command += ["mtu", str(mtu)] if mtu else []
        self.run(command)
        if up:
            self.run(f"ip link set {name} up")
        return name

    # --- the kernel's view ---

    def sas(self):
        """The SAs of this namespace as dicts: src, dst, proto, spi, reqid, mode, if_id (int, 0 = none), bytes, packets, text."""
        text = self.run("ip -s xfrm state").stdout
        found = []
        for block in re.split(r"^(?=src )", text, flags=re.MULTILINE):
            head = re.search(r"src (\S+) dst (\S+)\s+proto (\S+) spi 0x([0-9a-f]+)\S* reqid (\d+)\S* mode (\S+)", block)
            if not head:
                continue
            if_id = re.search(r"if_id 0x([0-9a-f]+)", block)
            lifetime = re.search(r"lifetime current:\s+(\d+)\(bytes\), (\d+)\(packets\)", block)
            found.append(
                {
                    "src": head[1],
                    "dst": head[2],
                    "proto": head[3],
                    "spi": int(head[4], 16),
                    "reqid": int(head[5]),
                    "mode": head[6],
                    "if_id": int(if_id[1], 16) if if_id else 0,
                    "bytes": int(lifetime[1]) if lifetime else 0,
                    "packets": int(lifetime[2]) if lifetime else 0,
                    "text": block,
                }
            )
        return found

    def policies(self):
        """The policies of this namespace as dicts: src, dst, dir, if_id, text. Per-socket policies are left out."""
        text = self.run("ip xfrm policy").stdout
        found = []
        for block in re.split(r"^(?=src )", text, flags=re.MULTILINE):
            head = re.search(r"src (\S+) dst (\S+)", block)
            direction = re.search(r"^\s+dir (\S+)", block, re.MULTILINE)
            if not head or not direction:
                continue
            if_id = re.search(r"if_id 0x([0-9a-f]+)", block)
            found.append({"src": head[1], "dst": head[2], "dir": direction[1], "if_id": int(if_id[1], 16) if if_id else 0, "text": block})
        return found

    def routes(self, table=220, family=4):
        """Routes of a table as `ip -j route` gives them; an absent table is an empty one."""
        done = self.run(f"ip -{family} -j route show table {table}", check=False)
        if done.returncode:
            if "table does not exist" not in done.stderr:
                raise LabError(f"{self.name}: routes of table {table}: {done.stderr}")
            return []
        return json.loads(done.stdout or "[]")

    def rules(self, family=4):
        """Routing rules as `ip -j rule` gives them, without the three that every namespace has."""
        rules = json.loads(self.run(f"ip -{family} -j rule show").stdout or "[]")
        return [r for r in rules if r.get("table") not in ("local", "main", "default")]

    def fingerprint(self):
        """All that an IKE daemon may leave in the kernel, in a form that can be compared."""
        return {
            "sas": sorted((s["src"], s["dst"], s["proto"], s["if_id"]) for s in self.sas()),
            "policies": sorted((p["src"], p["dst"], p["dir"], p["if_id"]) for p in self.policies()),
            "routes": sorted(json.dumps(r, sort_keys=True) for f in (4, 6) for r in self.routes(family=f)),
            "rules": sorted(json.dumps(r, sort_keys=True) for f in (4, 6) for r in self.rules(family=f)),
        }

    def sysdump(self):
        """State of the host in a few lines, shown when a test fails."""
        noise = re.compile(r"^(local|broadcast|multicast|anycast|fe80|::1|unreachable) |\tsocket |^src (0.0.0.0/0|::/0) dst (0.0.0.0/0|::/0) $|limit: |expire |lifetime config|stats:")
        parts = []
        for command in ("ip -br addr", "ip rule", "ip route show table all", "ip -s xfrm state", "ip xfrm policy"):
            lines = [line for line in self.run(command, check=False).stdout.splitlines() if line.strip() and not noise.search(line)]
            if lines:
                parts.append(f"$ {command}\n" + "\n".join(lines[:60]))
        counted = [line for line in self.run("cat /proc/net/xfrm_stat", check=False).stdout.splitlines() if not line.endswith(("\t0", " 0"))]
        if counted:
            parts.append("$ cat /proc/net/xfrm_stat\n" + "\n".join(counted))
        for svti in re.findall(r"^(svti\S*?)[@ ]", self.run("ip -br link", check=False).stdout, re.MULTILINE):
            shown = self.run(f"ethtool -S {svti}", check=False).stdout.splitlines()
            parts.append(f"$ ethtool -S {svti}\n" + "\n".join(line for line in shown if not line.endswith(": 0")))
        return "\n".join(parts)

    # --- traffic ---

    def ping(self, dst, count=2, size=56, wait=5.0, interval=0.3, source=None, more=""):
        """Sends `count` echo requests; returns how many were answered."""
        pattern = PING_PATTERN.hex()
        command = f"ping -n -c {count} -s {size} -W {wait} -i {interval} -p {pattern} {f'-I {source}' if source else ''} {more} {dst}"
        done = self.run(command, check=False, timeout=count * (wait + interval) + 60)
        match = re.search(r"(\d+) packets transmitted, (\d+) received", done.stdout)
        return int(match[2]) if match else 0

    def ping_ok(self, dst, count=2, **how):
        """All of `count` echo requests are answered."""
        received = self.ping(dst, count, **how)
        if received != count:
            raise LabError(f"{self.name}: {received} of {count} pings to {dst} were answered")

    def ping_until(self, dst, timeout=60.0, **how):
        """Pings until an answer comes."""
        wait_until(lambda: self.ping(dst, 1, wait=1.0, **how), f"{self.name}: an answer from {dst}", timeout)

    def ping_background(self, dst, interval=0.2, more=""):
        return self.popen(f"ping -n -O -W 2 -i {interval} -p {PING_PATTERN.hex()} {more} {dst}", name="ping", cls=Ping)

    def capture(self, dev, expression=""):
        """Starts tcpdump on `dev` ("any" for all); returns when it captures."""
        pcap = self.dir / f"{dev}-{len(self.lab.processes)}.pcap"
        command = ["tcpdump", "-i", dev, "-n", "-U", "-Z", "root", "-s", "0", "--immediate-mode", "-w", str(pcap), *shlex.split(expression)]
        capture = self.popen(command, name=f"tcpdump-{dev}", cls=Capture, pcap=pcap)
        capture.wait_output(r"listening on")
        return capture

    def xfrm_monitor(self, *what):
        """`ip xfrm monitor` in the background: `.wait_output("acquire proto esp")` waits for an event."""
        process = self.popen(["ip", "xfrm", "monitor", *(what or ["all"])], name="xfrm-monitor")
        # It prints nothing until something happens: it listens once its netlink socket is there.
        wait_until(lambda: _has_netlink_socket(process.popen.pid), "ip xfrm monitor listens")
        return process


def _has_netlink_socket(pid):
    with contextlib.suppress(OSError):
        return any("socket:" in os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
    return False


class Lab:
    """Owner of the hosts, links and processes of one test."""

    def __init__(self, test):
        self.test = test  # its name
        shutil.rmtree(BASE, ignore_errors=True)
        BASE.mkdir(parents=True)
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.hosts = {}
        self.processes = []
        self.at_end = []  # called when all processes have ended

    def host(self, name):
        assert name not in self.hosts and len(name) < 13
        self.hosts[name] = Host(self, name)
        return self.hosts[name]

    def link(self, a, dev_a, b, dev_b, mtu=None):
        """A cable (veth pair) between interface `dev_a` of host `a` and `dev_b` of `b`, both up."""
        extra = f" mtu {mtu}" if mtu else ""
        a.run(f"ip link add {dev_a}{extra} type veth peer name {dev_b}{extra} netns {b.name}")
        for host, dev in ((a, dev_a), (b, dev_b)):
            host.run(f"ip link set {dev} up")

    def new_log(self, name):
        return BASE / f"{len(self.processes):02}-{name}.log"

    def own(self, process):
        self.processes.append(process)
        return process

    def close(self):
        for process in reversed(self.processes):
            if process.running:
                process.popen.terminate()
        end = time.monotonic() + 10
        for process in self.processes:
            try:
                process.popen.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
        try:
            for end in self.at_end:
                end()
        finally:
            for host in self.hosts.values():
                host.close()
            os.close(self.home)

    def report(self, lines=50):
        """What a failed test shows: the state of each host and the end of each log."""
        parts = []
        for host in self.hosts.values():
            if not any(process.host is host for process in self.processes if not isinstance(process, (Ping, Capture))):
                continue  # clients and routers: nothing runs there
            with contextlib.suppress(Exception):
                parts.append(f"---- {host.name}\n{host.sysdump()}")
        for process in self.processes:
            text = process.output().splitlines()[-lines:]
            if text and not isinstance(process, (Ping, Capture)):
                parts.append(f"---- {process.log.name} ({'running' if process.running else f'ended with {process.popen.returncode}'})\n" + "\n".join(text))
        return "\n".join(parts)


class Gateways:
    """Two sites behind two gateways, with a router between them:

        clienta ─── gwa ═══════ wan ═══════ gwb ─── clientb
        192.168.0.2   192.0.2.1     198.51.100.1   192.168.99.2      (inside also fd00:a::2 and fd00:b::2)
                      2001:db8:a::1  2001:db8:b::1
    """

    def __init__(self, lab, clients=True):
        self.lab = lab
        self.wan = lab.host("wan")
        self.gwa = lab.host("gwa")
        self.gwb = lab.host("gwb")
        lab.link(self.gwa, "wan0", self.wan, "toa")
        lab.link(self.gwb, "wan0", self.wan, "tob")
        for host, dev, address, address6 in (
            (self.wan, "toa", "192.0.2.254/24", "2001:db8:a::fe/64"),
            (self.wan, "tob", "198.51.100.254/24", "2001:db8:b::fe/64"),
            (self.gwa, "wan0", "192.0.2.1/24", "2001:db8:a::1/64"),
            (self.gwb, "wan0", "198.51.100.1/24", "2001:db8:b::1/64"),
        ):
            host.addr(dev, address, address6)
        for host in (self.wan, self.gwa, self.gwb):
            host.forward()
        self.gwa.ip("route add default via 192.0.2.254", "route add default via 2001:db8:a::fe")
        self.gwb.ip("route add default via 198.51.100.254", "route add default via 2001:db8:b::fe")
        if clients:
            self.clienta = self._client("clienta", self.gwa, "192.168.0", "fd00:a")
            self.clientb = self._client("clientb", self.gwb, "192.168.99", "fd00:b")

    def _client(self, name, gateway, net4, net6):
        client = self.lab.host(name)
        self.lab.link(gateway, "lan0", client, "eth0")
        gateway.addr("lan0", f"{net4}.1/24", f"{net6}::1/64")
        client.addr("eth0", f"{net4}.2/24", f"{net6}::2/64")
        client.ip(f"route add default via {net4}.1", f"route add default via {net6}::1")
        return client

    INNER = ("192.168.0.0/24", "192.168.99.0/24", "fd00:a::/64", "fd00:b::/64")

    def svtis(self, svti_id=100):
        """An SVTI `svti100` on each gateway."""
        for gateway in (self.gwa, self.gwb):
            gateway.svti(f"svti{svti_id}", svti_id)

    def route_through_svtis(self, dev="svti100"):
        """Static routes to the other site through the SVTI, for daemons that install none."""
        self.gwa.route("192.168.99.0/24", "fd00:b::/64", dev=dev)
        self.gwb.route("192.168.0.0/24", "fd00:a::/64", dev=dev)

    def capture(self):
        """A capture of the underlay, on the cable of gwb."""
        return self.wan.capture("tob")

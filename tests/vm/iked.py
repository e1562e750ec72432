# SPDX-License-Identifier: Apache-2.0
"""svti-iked on a host, ikectl to talk to it, and the texts of its configuration."""
import json
import signal

from lab import LabError, wait_until
from messages import Watch

# The proposals of the guide's "site to site VPN", and others, as lines of ike-proposal and esp-proposal.
GUIDE_IKE = ("enc-alg aes128-cbc", "auth-alg hmac-sha512", "prf-alg hmac-sha512", "dh-group modp2048")
GUIDE_ESP = ("enc-alg aes128-cbc", "auth-alg hmac-sha256")
GCM_IKE = ("aead-alg aes128-gcm-128", "prf-alg hmac-sha256", "dh-group curve25519")
GCM_ESP = ("aead-alg aes128-gcm-128",)
CBC_IKE = ("enc-alg aes128-cbc", "auth-alg hmac-sha256", "dh-group modp2048")
CBC_ESP = ("enc-alg aes128-cbc", "auth-alg hmac-sha256")
SECRET = "0seaJ31RfzHNRvUSH0oUYg7znTW0I="


def block(head, *lines):
    """`head` and its lines as a context of the native text form."""
    body = [inner for line in lines for inner in (line.splitlines() if isinstance(line, str) else line)]
    return "\n".join([head, *("    " + line for line in body), "    .."])


def site(
    name,
    local,
    remote,
    local_id,
    remote_id,
    policies,
    svti_id=100,
    ike=GUIDE_IKE,
    esp=GUIDE_ESP,
    ike_policy=(),
    ipsec_policy=(),
    secret=SECRET,
):
    """Lines of a `vpn` in the shape of the guide's site-to-site use case, with its templates and pre-shared key.

    `remote` None: from any address. `policies`: {name: (local-ts subnet, remote-ts subnet)}, None for a dynamic one.
    """
    vpn = [block("ike-policy", f"template ike-{name}", *ike_policy), block("ipsec-policy", f"template ipsec-{name}", *ipsec_policy)]
    vpn += [f"local-address {local}"] + ([f"remote-address {remote}"] if remote else [])
    vpn += [f"local-id {local_id}", f"remote-id {remote_id}"]
    for policy, (local_ts, remote_ts) in policies.items():
        leaves = ([f"local-ts subnet {local_ts}"] if local_ts else []) + ([f"remote-ts subnet {remote_ts}"] if remote_ts else [])
        leaves += [f"svti-id-in {svti_id}", f"svti-id-out {svti_id}"] if svti_id else []
        vpn.append(block(f"security-policy {policy}", *leaves))
    return "\n".join(
        [
            block(f"ike-policy-template ike-{name}", block("ike-proposal 1", *ike)),
            block(f"ipsec-policy-template ipsec-{name}", block("esp-proposal 1", *esp)),
            block(f"vpn {name}", *vpn),
            block(f"pre-shared-key key-{name}", f"id {remote_id}", f"secret {secret}"),
        ]
    )


def configuration(*sites, options=("install-routes true",)):
    """A whole configuration text."""
    return block("ike", block("global-options", *options), *sites) + "\n"


def pair(
    name="siteA-siteB", a="192.0.2.1", b="198.51.100.1", policies=None, options=("install-routes true",), start=("none", "none"), remote_b=True, **more
):
    """The configurations of gwa and gwb. `start`: start-action of each side (close-action is none, dpd-action clear, unless in `more`)."""
    policies = policies or {"trunk": ("192.168.0.0/24", "192.168.99.0/24")}
    mirrored = {policy: (there, here) for policy, (here, there) in policies.items()}
    ids = ("secgwa.6wind.net", "secgwb.6wind.net")
    extra = more.pop("ipsec_policy", ("close-action none", "dpd-action clear"))
    return (
        configuration(site(name, a, b, *ids, policies, ipsec_policy=(f"start-action {start[0]}", *extra), **more), options=options),
        configuration(
            site(name, b, a if remote_b else None, *ids[::-1], mirrored, ipsec_policy=(f"start-action {start[1]}", *extra), **more), options=options
        ),
    )


class Iked:
    """svti-iked on `host`, with a configuration file, run folder and control socket of its own."""

    def __init__(self, host, config):
        self.host = host
        self.file = host.dir / "ike.conf"
        self.file.write_text(config)
        self.socket = host.dir / "iked.vici"
        self.keys = host.dir / "iked.keys"  # for Wireshark
        self.group = None  # that may use the socket
        self.process = None
        self.watch = None

    def start(self, wait=True):
        if not self.watch:
            self.watch = Watch(self.host, self.keys)
            self.host.lab.at_end.append(lambda: self.watch.close(self.host.lab.test))
        folders = ["--key-log", self.keys, "--run-dir", self.host.dir / "run", "--state-dir", self.host.dir / "state"]
        group = ["--group", self.group] if self.group else []
        self.process = self.host.popen(
            ["svti-iked", "--config", self.file, "--socket", self.socket, *folders, *group, "--foreground", "--log-stderr", "1"]
        )
        if wait:
            wait_until(self._answers, f"svti-iked on {self.host.name} answers", 60, interval=0.3)
        return self

    def _answers(self):
        if not self.process.running:
            raise LabError(f"svti-iked on {self.host.name} ended with {self.process.popen.returncode}:\n{self.process.output()[-3000:]}")
        return self.socket.is_socket() and self.ctl("show", "config", check=False).returncode == 0

    def stop(self):
        """Ends the daemon in good order (SIGTERM); it must end with status 0."""
        status = self.process.stop()
        if status:
            raise LabError(f"svti-iked on {self.host.name} ended with {status}")

    def kill9(self):
        self.process.popen.send_signal(signal.SIGKILL)
        self.process.popen.wait()

    def ctl(self, *args, check=True, timeout=90):
        return self.host.run(["ikectl", "--socket", self.socket, *args], check=check, timeout=timeout)

    def load(self, config, check=True):
        self.file.write_text(config)
        return self.ctl("load", self.file, check=check)

    def initiate(self, vpn="siteA-siteB", policy="trunk", check=True):
        return self.ctl("initiate", vpn, *([policy] if policy else []), check=check)

    def terminate(self, vpn="siteA-siteB"):
        return self.ctl("terminate", vpn)

    def swanctl(self, *args):
        """strongSwan's tool on our control socket: for rekey, and because that has to work."""
        return self.host.run(["swanctl", *args, "--uri", f"unix://{self.socket}"], timeout=90)

    def rekey_child(self, policy="trunk"):
        return self.swanctl("--rekey", "--child", policy)

    def rekey_ike(self, vpn="siteA-siteB"):
        return self.swanctl("--rekey", "--ike", vpn)

    def state(self):
        """`show state --json`, parsed: what stands below VRF main."""
        return json.loads(self.ctl("show", "state", "--json").stdout)["svti:vrf"][0]

    def ike_sas(self):
        """The ike-sa entries of the state."""
        return list(entries(self.state(), "ike-sa"))

    def children(self):
        return [child for sa in self.ike_sas() for child in entries(sa, "child-sa")]


def entries(tree, key):
    """All list entries under `key`, wherever in the JSON tree they are."""
    if isinstance(tree, list):
        for item in tree:
            yield from entries(item, key)
    elif isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield from value if isinstance(value, list) else [value]
            else:
                yield from entries(value, key)


def esp_sas(host):
    """The negotiated SAs of a host: without the larval ones that an acquire leaves."""
    return [sa for sa in host.sas() if sa["spi"] and sa["proto"] == "esp"]


def wait_tunnel(*hosts, count=2, timeout=90):
    """Waits until each host has `count` ESP SAs: one in each direction and CHILD SA."""
    for host in hosts:
        wait_until(lambda host=host: len(esp_sas(host)) == count, f"{count} ESP SAs on {host.name}", timeout, interval=0.5)


def wait_clean(*hosts, timeout=60):
    """Waits until an IKE daemon's traces are gone: no SA, policy, route of table 220 and rule."""
    empty = {"sas": [], "policies": [], "routes": [], "rules": []}
    for host in hosts:
        wait_until(lambda host=host: host.fingerprint() == empty, f"nothing left on {host.name}", timeout, interval=0.5)

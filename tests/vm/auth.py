# SPDX-License-Identifier: Apache-2.0
"""What the tests of authentication share: certificates that `ikectl pki` made, the VPN `site` of gwa with its CHILD SA `net`, and what strongSwan on gwb needs for it."""
import subprocess

from iked import GCM_ESP, GCM_IKE, block, wait_clean, wait_tunnel

GWA, GWB = "C=CH, O=Example, CN=gwa", "C=CH, O=Example, CN=gwb"
OUR_CERTIFICATE = ("certificate gwa", "remote-ca-certificate gwa-ca")
SWAN_SUITE = ("aes128gcm16-prfsha256-curve25519", "aes128gcm16")


class Pki:
    """An authority with a certificate for each gateway: five commands."""

    def __init__(self, folder, kind):
        self.dir = folder
        self.dir.mkdir(parents=True, exist_ok=True)
        self.run("ca", "--subject", "C=CH, O=Example, CN=Example CA", "--key", kind, "--out", "ca")
        for name in ("gwa", "gwb"):
            self.issue(name, "--key", kind)
        self.text = self.config("gwa")

    def run(self, *args):
        done = subprocess.run(["ikectl", "pki", *args], cwd=self.dir, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def issue(self, name, *more):
        self.run("issue", "--ca", "ca.pem", "--ca-key", "ca.key", "--subject", f"C=CH, O=Example, CN={name}", "--san", f"{name}.example", "--out", name, *more)

    def config(self, name, *more):
        """The entries of `ike` that carry the certificate, its key and the authority."""
        text = self.run("config", name, "--certificate", f"{name}.pem", "--key", f"{name}.key", "--ca", "ca.pem", *more)
        return text.strip().removeprefix("ike\n").removesuffix("..").rstrip()

    def swan_files(self, name="gwb"):
        return {f"x509/{name}.pem": self.dir / f"{name}.pem", f"private/{name}.key": self.dir / f"{name}.key", "x509ca/ca.pem": self.dir / "ca.pem"}


def pem_configuration(*parts):
    """A whole configuration text. PEM must not be indented."""
    return "\n".join(["ike", "global-options install-routes true", *parts, ".."]) + "\n"


def methods(local, remote):
    return f"local-auth-method {local}", f"remote-auth-method {remote}"


def our_vpn(ike_policy=methods("certificate", "certificate"), leaves=(), esp=GCM_ESP, certificate=OUR_CERTIFICATE):
    """Lines of the VPN `site` on gwa."""
    return "\n".join(
        [
            block("ike-policy-template ike-site", block("ike-proposal 1", *GCM_IKE)),
            block("ipsec-policy-template ipsec-site", "start-action none", "close-action none", "dpd-action clear", block("esp-proposal 1", *esp)),
            block(
                "vpn site",
                block("ike-policy", "template ike-site", *ike_policy),
                block("ipsec-policy", "template ipsec-site"),
                "local-address 192.0.2.1",
                "remote-address 198.51.100.1",
                *certificate,
                *leaves,
                block("security-policy net", "local-ts subnet 192.168.0.0/24", "remote-ts subnet 192.168.99.0/24", "svti-id-in 100", "svti-id-out 100"),
            ),
        ]
    )


def eap_vpn(local, remote, *leaves):
    """The same with these authentication methods, and no certificate but what `leaves` say."""
    return our_vpn(methods(local, remote), leaves, certificate=())


def their_connection(local, remote, us=("198.51.100.1", "192.168.99.0/24"), peer=("192.0.2.1", "192.168.0.0/24"), secrets=""):
    """swanctl.conf text; `local` and `remote`: the lines of these sections."""
    return f"""
connections {{
  site {{
    version = 2
    local_addrs = {us[0]}
    remote_addrs = {peer[0]}
    proposals = {SWAN_SUITE[0]}
    mobike = no
    local {{
      {local}
    }}
    remote {{
      {remote}
    }}
    children {{
      net {{
        local_ts = {us[1]}
        remote_ts = {peer[1]}
        esp_proposals = {SWAN_SUITE[1]}
        if_id_in = 100
        if_id_out = 100
      }}
    }}
  }}
}}
{secrets}
"""


def explained(iked, vpn="site"):
    """Text of `ikectl explain`."""
    return iked.ctl("explain", vpn, check=False).stdout


def up_and_down(g, iked, swan, initiator, eap=None):
    """`eap`: the method and the EAP identity of who initiates, which the state must show."""
    if initiator == "ours":
        iked.initiate("site", "net")
    else:
        swan.initiate("net")
    wait_tunnel(g.gwa, g.gwb)
    swan.wait_child("net")
    g.clienta.ping_ok("192.168.99.2")
    if eap:
        (sa,) = iked.ike_sas()
        assert (sa["eap-method"], sa["local-eap-id" if initiator == "ours" else "remote-eap-id"]) == eap, sa
    iked.terminate("site")
    wait_clean(g.gwa)
    swan.wait_no_sa()


class Swanctl:
    """swanctl on gwa that drives `iked`, with a folder of its own; `pki`: what it finds there."""

    def __init__(self, g, iked, pki=None):
        self.host, self.iked = g.gwa, iked
        self.folder = g.gwa.dir / "swanctl"
        self.folder.mkdir(exist_ok=True)
        for name, source in (pki.swan_files("gwa") if pki else {}).items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(source.read_bytes())
        self.settings = g.gwa.dir / "swanctl-settings.conf"
        self.settings.write_text("swanctl { load = random pem pkcs1 pkcs8 x509 openssl }\n")

    def __call__(self, *args):
        env = {"SWANCTL_DIR": str(self.folder), "STRONGSWAN_CONF": str(self.settings)}
        return self.host.run(["swanctl", *args, "--uri", f"unix://{self.iked.socket}"], timeout=90, env=env).stdout

    def load(self, local, remote, secrets=""):
        """Loads the connection `site` as gwa has it. What swanctl has said."""
        ends = ("192.0.2.1", "192.168.0.0/24"), ("198.51.100.1", "192.168.99.0/24")
        (self.folder / "swanctl.conf").write_text(their_connection(local, remote, *ends, secrets=secrets))
        loaded = self("--load-all")
        assert "successfully loaded 1 connections" in loaded, loaded
        return loaded

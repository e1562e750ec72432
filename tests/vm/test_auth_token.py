# SPDX-License-Identifier: Apache-2.0
"""Private keys on a PKCS#11 token (SoftHSM), against strongSwan.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
import os
import shutil
import subprocess

import pytest
from auth import GWA, GWB, Pki, Swanctl, explained, our_vpn, pem_configuration, their_connection, up_and_down
from iked import Iked
from lab import wait_until
from strongswan import StrongSwan

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
THEIRS = their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', f'auth = pubkey\n id = "{GWA}"')


@pytest.fixture
def vault(g, monkeypatch):
    """Token `vault` (PIN 1234) for whom the token's process runs as; a function that puts a key file on it."""
    folder = g.gwa.dir / "vault"
    (folder / "tokens").mkdir(parents=True)
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(conf))

    def util(*args):
        subprocess.run(["softhsm2-util", *args], check=True, timeout=60, capture_output=True)
        for at, folders, files in os.walk(folder):
            for name in (".", *folders, *files):
                shutil.chown(os.path.join(at, name), 65534, 65534)

    util("--init-token", "--free", "--label", "vault", "--pin", "1234", "--so-pin", "4321")
    for parent in (folder, *folder.parents):
        parent.chmod(parent.stat().st_mode | 0o011)
    return lambda file, handle: util("--import", str(file), "--token", "vault", "--label", f"key-{handle}", "--id", handle, "--pin", "1234")


def test_auth_key_on_a_token_by_its_uri(g, vault):  # noqa: F811
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    vault(pki.dir / "gwa.key", "01")
    plain = (pki.dir / "gwa.key").read_text().strip()
    pin = g.gwa.dir / "vault.pin"
    pin.write_text("9999\n")
    pin.chmod(0o600)
    uri = f'private-key-uri "pkcs11:token=vault;id=%01?module-path={MODULE}&pin-source=file:{pin}"'
    text = pem_configuration(pki.text.replace(f'private-key "{plain}"', uri), our_vpn())
    assert "PRIVATE KEY" not in text
    # a wrong PIN: the reason is in the log and in what the peer is refused for, and the daemon is up
    iked = Iked(g.gwa, text).start()
    wait_until(lambda: "token vault refuses the login: the PIN is wrong: it is not tried again" in iked.process.output(), "the refusal", 60)
    assert "certificate gwa private-key-uri: cannot be used" in iked.process.output()
    swan = StrongSwan(g.gwb, THEIRS, files=pki.swan_files()).start()
    assert iked.initiate("site", "net", check=False).returncode != 0
    assert "the PIN was refused" in explained(iked), explained(iked)
    # mended, and loaded again
    pin.write_text("1234\n")
    iked.load(text)
    for initiator in ("ours", "theirs"):
        up_and_down(g, iked, swan, initiator)
    assert "certificate gwa private-key-uri: the key on token vault has signed on trial" in iked.process.output()
    # its process is killed: the next signature is another's
    before = g.gwa.run(["pgrep", "-f", "^svti-iked --token"]).stdout.split()
    assert len(before) == 1, before
    g.gwa.run(["kill", "-9", *before])
    up_and_down(g, iked, swan, "ours")
    after = g.gwa.run(["pgrep", "-f", "^svti-iked --token"]).stdout.split()
    assert len(after) == 1 and after != before, (before, after)


def test_auth_key_on_a_token_by_load_token(g, vault):  # noqa: F811
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    vault(pki.dir / "gwa.key", "0a")
    (pki.dir / "gwa.key").unlink()
    iked = Iked(g.gwa, pem_configuration()).start()
    swan = StrongSwan(g.gwb, THEIRS, files=pki.swan_files()).start()
    swanctl = Swanctl(g, iked)
    for name in ("x509/gwa.pem", "x509ca/ca.pem"):
        (swanctl.folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(pki.dir / name.split("/")[1], swanctl.folder / name)
    ends = (f'auth = pubkey\n certs = gwa.pem\n id = "{GWA}"', f'auth = pubkey\n id = "{GWB}"')
    token = "secrets {{ token-vault {{ handle = 0a\n module = {0}\n pin = {1} }} }}"
    # swanctl says why, and goes on
    (swanctl.folder / "swanctl.conf").write_text(token.format(MODULE, 9999))
    env = {"SWANCTL_DIR": str(swanctl.folder), "STRONGSWAN_CONF": str(swanctl.settings)}
    refused = g.gwa.run(["swanctl", "--load-creds", "--noprompt", "--uri", f"unix://{iked.socket}"], check=False, timeout=90, env=env)
    said = refused.stdout + refused.stderr
    assert "token vault refuses the login: the PIN is wrong: it is not tried again" in said, said
    swanctl.load(*ends, secrets=token.format(MODULE, 1234))
    for initiator in ("ours", "theirs"):
        up_and_down(g, iked, swan, initiator)
    certs = swanctl("--list-certs")
    assert "has private key" in certs, certs

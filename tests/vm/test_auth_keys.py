# SPDX-License-Identifier: Apache-2.0
"""Private keys that are not plain PEM, against strongSwan.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
import subprocess

from auth import GWA, GWB, Pki, Swanctl, explained, our_vpn, pem_configuration, their_connection, up_and_down
from iked import Iked, configuration
from strongswan import StrongSwan


def test_auth_encrypted_key_with_its_passphrase_in_a_file(g):  # noqa: F811
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    passphrase = g.gwa.dir / "passphrase"
    passphrase.write_text("open-sesame\n")
    plain = (pki.dir / "gwa.key").read_text().strip()
    subprocess.run(["openssl", "pkcs8", "-topk8", "-v2", "aes256", "-in", "gwa.key", "-out", "secret.key", "-passout", f"file:{passphrase}"], cwd=pki.dir, check=True, timeout=60)
    secret = (pki.dir / "secret.key").read_text().strip()
    assert plain in pki.text
    text = pem_configuration(pki.text.replace(f'private-key "{plain}', f'private-key-passphrase-file {passphrase}\nprivate-key "{secret}'), our_vpn())
    assert plain not in text and secret in text
    # closed to nobody, then wrong: it is said, the daemon comes up, and nothing is signed
    passphrase.chmod(0o644)
    iked = Iked(g.gwa, text).start()
    assert f"file {passphrase} can be read or written by others: chmod 600 it" in iked.process.output()
    right = passphrase.read_text()
    passphrase.chmod(0o600)
    passphrase.write_text("melon\n")
    assert "the passphrase is wrong" in iked.load(text).stderr
    theirs = their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', f'auth = pubkey\n id = "{GWA}"')
    swan = StrongSwan(g.gwb, theirs, files=pki.swan_files()).start()
    assert iked.initiate("site", "net", check=False).returncode != 0
    assert "the signer has no such key" in explained(iked), explained(iked)
    # mended, and loaded again
    passphrase.write_text(right)
    iked.load(text)
    for initiator in ("ours", "theirs"):
        up_and_down(g, iked, swan, initiator)


def test_auth_key_that_the_signer_made(g):  # noqa: F811
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    iked = Iked(g.gwa, pem_configuration(pki.text, our_vpn())).start()
    # in place of the one in a file: the daemon makes the key, the authority of the peers certifies it
    mine = str(pki.dir / "gwa")
    iked.ctl("pki", "request", "--sealed", "--subject", GWA, "--san", "gwa.example", "--out", mine, "--force")
    pki.run("issue", "--ca", "ca.pem", "--ca-key", "ca.key", "--request", "gwa.csr", "--out", "gwa", "--force")
    text = pem_configuration(pki.config("gwa"), our_vpn())
    assert "SVTI SEALED PRIVATE KEY" in text and "BEGIN PRIVATE KEY" not in text
    iked.load(text)
    theirs = their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', f'auth = pubkey\n id = "{GWA}"')
    swan = StrongSwan(g.gwb, theirs, files=pki.swan_files()).start()
    for initiator in ("ours", "theirs"):
        up_and_down(g, iked, swan, initiator)
    # another life of the daemon opens it again; without the sealing key nobody does, and it is said
    iked.stop()
    iked.start()
    up_and_down(g, iked, swan, "ours")
    iked.stop()
    (g.gwa.dir / "state" / "sealing-key").unlink()
    iked.start()
    assert iked.initiate("site", "net", check=False).returncode != 0
    gone = "was sealed by another gateway, or with a sealing key that is gone"
    assert gone in explained(iked), explained(iked)
    (certificate,) = iked.state()["ike"]["certificate-state"]
    assert certificate["key-place"] == "signer" and gone in certificate["key-problem"], certificate


def test_auth_encrypted_keys_that_swanctl_loads(g):
    """swanctl decrypts them itself, with what `secrets` says, and loads what comes of it: PKCS#8, and the older PEM with a Proc-Type."""
    pki = Pki(g.gwa.dir / "pki", "ecdsa-p256")
    iked = Iked(g.gwa, configuration()).start()
    theirs = their_connection(f'auth = pubkey\n certs = gwb.pem\n id = "{GWB}"', f'auth = pubkey\n id = "{GWA}"')
    swan = StrongSwan(g.gwb, theirs, files=pki.swan_files()).start()
    swanctl = Swanctl(g, iked, pki)
    local, remote = f'auth = pubkey\n certs = gwa.pem\n id = "{GWA}"', f'auth = pubkey\n id = "{GWB}"'

    def secret_of(section, word):
        return f"secrets {{\n {section} {{\n  file = gwa.key\n  secret = {word}\n }}\n}}\n"

    forms = {
        "pkcs8": ("private-gwa", ["openssl", "pkcs8", "-topk8", "-v2", "aes256"]),
        "ecdsa": ("ecdsa-gwa", ["openssl", "ec", "-aes256"]),
    }
    (swanctl.folder / "private" / "gwa.key").unlink()
    for form, (section, command) in forms.items():
        kind = "private" if form == "pkcs8" else form
        key = swanctl.folder / kind / "gwa.key"
        key.parent.mkdir(exist_ok=True)
        subprocess.run([*command, "-in", pki.dir / "gwa.key", "-out", key, "-passout", "pass:open-sesame"], check=True, timeout=60)
        assert "ENCRYPTED" in key.read_text()
        if form == "pkcs8":
            swanctl.load(local, remote, secret_of(section, "melon"))
            assert "has private key" not in swanctl("--list-certs", "--type", "x509")
        swanctl.load(local, remote, secret_of(section, "open-sesame"))
        assert "has private key" in swanctl("--list-certs", "--type", "x509")
        up_and_down(g, iked, swan, "ours")
        key.unlink()

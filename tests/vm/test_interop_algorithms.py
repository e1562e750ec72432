# SPDX-License-Identifier: Apache-2.0
"""Every algorithm that svti-iked negotiates, with strongSwan as the other end. The two take turns to begin.

    clienta ─── gwa (svti-iked, svti100) ═══ wan ═══ gwb (strongSwan, svti100) ─── clientb
"""
from iked import SECRET, Iked, configuration, site, wait_clean, wait_tunnel
from strongswan import StrongSwan, connection

# Our IKE and ESP proposals and strongSwan's. Each algorithm that test_interop_iked.py does not have stands in one of them;
# those whose ESP encrypts nothing come last.
SUITES = (
    ("aes128-ctr hmac-sha256 curve448", "aes128-ctr hmac-sha256", "aes128ctr-sha256-x448", "aes128ctr-sha256"),
    ("aes256-ctr aes-xcbc ecp224", "aes256-ctr aes-xcbc", "aes256ctr-aesxcbc-ecp224", "aes256ctr-aesxcbc"),
    ("camellia128-cbc aes-cmac brainpool256", "camellia128-cbc aes-cmac", "camellia128-aescmac-ecp256bp", "camellia128-aescmac"),
    ("camellia256-cbc hmac-sha384 brainpool384", "camellia256-cbc hmac-sha384", "camellia256-sha384-ecp384bp", "camellia256-sha384"),
    ("3des-cbc hmac-sha1 modp1536", "3des-cbc hmac-sha1", "3des-sha1-modp1536", "3des-sha1"),
    ("aes192-cbc hmac-md5 modp1024", "aes192-cbc hmac-md5", "aes192-md5-modp1024", "aes192-md5"),
    ("chacha20-poly1305 hmac-sha512 brainpool512", "chacha20-poly1305", "chacha20poly1305-prfsha512-ecp512bp", "chacha20poly1305"),
    ("aes128-ccm-64 aes-xcbc modp1024s160", "aes128-ccm-64", "aes128ccm8-prfaesxcbc-modp1024s160", "aes128ccm8"),
    ("aes192-ccm-96 aes-cmac modp2048s224", "aes192-ccm-96", "aes192ccm12-prfaescmac-modp2048s224", "aes192ccm12"),
    ("aes256-ccm-128 hmac-sha256 modp2048s256", "aes256-ccm-128", "aes256ccm16-prfsha256-modp2048s256", "aes256ccm16"),
    ("aes256-gcm-64 hmac-sha384 brainpool224", "null hmac-sha256", "aes256gcm8-prfsha384-ecp224bp", "null-sha256"),
    ("aes192-gcm-96 hmac-md5 modp768", "aes128-gmac", "aes192gcm12-prfmd5-modp768", "aes128gmac"),
)


def leaves(words, groups=True):
    """Lines of an ike-proposal or esp-proposal: cipher, integrity (with an AEAD the PRF), group."""
    cipher, *rest = words.split()
    aead = cipher.split("-")[-1] in ("64", "96", "128", "poly1305", "gmac")
    lines = [f"{'aead' if aead else 'enc'}-alg {cipher}"]
    if groups:
        lines += [f"{'prf' if aead else 'auth'}-alg {rest[0]}", f"dh-group {rest[1]}"]
    elif rest:
        lines.append(f"auth-alg {rest[0]}")
    return lines


def test_interop_algorithms(gateways):
    g = gateways
    g.svtis()
    g.gwb.route("192.168.0.0/24", dev="svti100")
    ours = [
        configuration(
            site(
                "site", "192.0.2.1", "198.51.100.1", "a.example", "b.example", {"net": ("192.168.0.0/24", "192.168.99.0/24")},
                ike=leaves(ike), esp=leaves(esp, False), ipsec_policy=("start-action none", "close-action none", "dpd-action clear"),
            )
        )
        for ike, esp, *_ in SUITES
    ]
    theirs = [
        connection("198.51.100.1", "192.0.2.1", "b.example", "a.example", "192.168.99.0/24", "192.168.0.0/24", ike, esp, SECRET) for *_, ike, esp in SUITES
    ]
    iked = Iked(g.gwa, ours[0]).start()
    swan = StrongSwan(g.gwb, theirs[0], plugins="md5 aes ctr ccm xcbc cmac").start()
    capture = g.capture()
    for turn, (suite, our_text, their_text) in enumerate(zip(SUITES, ours, theirs)):
        if suite[1].startswith("null"):
            capture.assert_only_ike_and_esp(g.INNER)
        iked.load(our_text)
        swan.config.write_text(their_text)
        swan.swanctl("--load-all", "--file", str(swan.config))
        if turn % 2 == 0:
            iked.initiate("site", "net")
        else:
            swan.initiate("net")
        wait_tunnel(g.gwa, g.gwb)
        swan.wait_child("net")
        g.clienta.ping_ok("192.168.99.2")
        g.clientb.ping_ok("192.168.0.2", size=1000)
        children = iked.children()
        assert len(children) == 1 and suite[1].split()[0] in str(children), children
        if turn % 2 == 0:
            iked.terminate("site")
        else:
            swan.terminate("site")
        wait_clean(g.gwa)
        swan.wait_no_sa()

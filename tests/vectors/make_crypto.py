#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes crypto.json, the vectors of tests/unit/crypto that no RFC prints.

MODP: the primes from the formulas of RFC 2409 and RFC 3526 (pi computed here), powers with Python's integers.
prf+: Python's hmac, and the AES of python3-cryptography, by the texts of RFC 7296 2.13, RFC 3566, RFC 4434, RFC 4493 and RFC 4615.
sk:   Encrypted payload bodies put together by hand from the raw ciphers of python3-cryptography.

Everything is drawn from a hash of a label, so that the file is the same each time. Needs python3-cryptography.
"""

import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.cmac import CMAC


def draw(label, size):
    return hashlib.shake_256(label.encode()).digest(size)


def pi_floor(bits):
    """floor(2^bits * pi), by Machin's formula with 64 guard bits"""
    unit = 1 << (bits + 64)

    def arctan_inverse(n):
        term = total = unit // n
        square, k, sign = n * n, 3, -1
        while term:
            term //= square
            total += sign * (term // k)
            k, sign = k + 2, -sign
        return total

    return (4 * (4 * arctan_inverse(5) - arctan_inverse(239))) >> 64


def modp_prime(bits, k):
    return 2**bits - 2 ** (bits - 64) - 1 + 2**64 * (pi_floor(bits - 130) + k)


def modp():
    # RFC 2409 6.1 and 6.2, RFC 3526 2 to 7: group, bits, the constant behind pi; bits of a private key
    for group, bits, k, private_bits in ((1, 768, 149686, 225), (2, 1024, 129093, 225), (5, 1536, 741804, 225), (14, 2048, 124476, 225), (15, 3072, 1690314, 275), (16, 4096, 240904, 325),
                                         (17, 6144, 929484, 375), (18, 8192, 4743158, 400)):
        p = modp_prime(bits, k)
        private = int.from_bytes(draw(f"modp {group} ours", (private_bits + 7) // 8), "big") % 2**private_bits
        peer = pow(2, int.from_bytes(draw(f"modp {group} theirs", bits // 8), "big"), p)
        number = lambda n, size=bits // 8: n.to_bytes(size, "big").hex()
        yield {"group": group, "prime": number(p), "private": number(private, (private_bits + 7) // 8),
               "public": number(pow(2, private, p)), "peer": number(peer), "shared": number(pow(peer, private, p))}


def aes_xcbc(key, text):
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    k1, k2, k3 = (ecb.update(bytes([i]) * 16) for i in (1, 2, 3))
    blocks = [text[i:i + 16] for i in range(0, len(text), 16)] or [b""]
    last_key = k2 if len(blocks[-1]) == 16 else k3
    if len(blocks[-1]) < 16:
        blocks[-1] += b"\x80" + bytes(15 - len(blocks[-1]))
    xor = lambda a, b: bytes(x ^ y for x, y in zip(a, b))
    blocks[-1] = xor(blocks[-1], last_key)
    aes, out = Cipher(algorithms.AES(k1), modes.ECB()).encryptor(), bytes(16)
    for block in blocks:
        out = aes.update(xor(out, block))
    return out


def aes_cmac(key, text):
    out = CMAC(algorithms.AES(key))
    out.update(text)
    return out.finalize()


def mac(name, key, text):
    """A MAC of a key of any length, as the PRF of that name takes it"""
    if name == "xcbc":
        return aes_xcbc(key.ljust(16, b"\0") if len(key) <= 16 else aes_xcbc(bytes(16), key), text)
    if name == "cmac":
        return aes_cmac(key if len(key) == 16 else aes_cmac(bytes(16), key), text)
    return hmac.new(key, text, name).digest()


MAC_SIZES = {"md5": 16, "sha1": 20, "xcbc": 16, "sha256": 32, "sha384": 48, "sha512": 64, "cmac": 16}


def prf_plus():
    for prf, name in ((1, "md5"), (2, "sha1"), (4, "xcbc"), (5, "sha256"), (6, "sha384"), (7, "sha512"), (8, "cmac")):
        key, seed = draw(f"prf {name} key", 32), draw(f"prf {name} seed", 80)
        out = block = b""
        for counter in range(1, 9):
            block = mac(name, key, block + seed + bytes([counter]))
            out += block
        yield {"prf": prf, "key": key.hex(), "seed": seed.hex(), "output": out.hex()}


def sk():
    prefix = draw("sk prefix", 32)
    for bits in (128, 192, 256):
        for integrity, name, icv_size in ((2, "sha1", 12), (12, "sha256", 16), (13, "sha384", 24), (14, "sha512", 32)):
            for size, extra in ((0, 0), (15, 0), (16, 0), (100, 0), (100, 32)):  # extra: more padding than needed, which is allowed
                label = f"sk cbc {bits} {name} {size} {extra}"
                sk_e, sk_a = draw(label + " e", bits // 8), draw(label + " a", hashlib.new(name).digest_size)
                iv, text = draw(label + " iv", 16), draw(label + " text", size)
                pad = -(size + 1) % 16 + extra
                padding = bytes(pad) if extra == 0 else draw(label + " padding", pad)
                aes = Cipher(algorithms.AES(sk_e), modes.CBC(iv)).encryptor()
                body = iv + aes.update(text + padding + bytes([pad])) + aes.finalize()
                body += hmac.new(sk_a, prefix + body, name).digest()[:icv_size]
                yield {"encryption": 12, "bits": bits, "integrity": integrity, "sk_e": sk_e.hex(), "sk_a": sk_a.hex(), "iv": iv.hex(),
                       "prefix": prefix.hex(), "plaintext": text.hex(), "body": body.hex(), "least_padding": extra == 0}
        for encryption, icv_size in ((18, 8), (19, 12), (20, 16)):
            for size, pad in ((0, 0), (1, 0), (100, 0), (100, 3), (100, 255)):
                label = f"sk gcm {bits} {encryption} {size} {pad}"
                sk_e, text = draw(label + " e", bits // 8 + 4), draw(label + " text", size)
                iv = bytes(8) if pad == 0 else draw(label + " iv", 8)
                sealed = AESGCM(sk_e[:-4]).encrypt(sk_e[-4:] + iv, text + draw(label + " padding", pad) + bytes([pad]), prefix)
                body = iv + (sealed[:-16] + sealed[-16:][:icv_size])  # a short tag is the long one cut
                yield {"encryption": encryption, "bits": bits, "integrity": 0, "sk_e": sk_e.hex(), "sk_a": "", "iv": iv.hex(),
                       "prefix": prefix.hex(), "plaintext": text.hex(), "body": body.hex(), "least_padding": pad == 0}


def sk_plain(encryption, bits, key, mode, block, iv_size, salt_size, integrity, name, icv_size, size, extra):
    """A cipher with a MAC beside it; `extra`: more padding than needed"""
    label = f"sk {encryption} {bits} {name} {size} {extra}"
    sk_e, sk_a = draw(label + " e", key.key_size(bits) + salt_size), draw(label + " a", MAC_SIZES[name])
    iv, text = bytes(iv_size) if mode == "ctr" and extra == 0 else draw(label + " iv", iv_size), draw(label + " text", size)
    pad = -(size + 1) % block + extra
    padding = bytes(pad) if extra == 0 else draw(label + " padding", pad)
    octets, salt = sk_e[:len(sk_e) - salt_size], sk_e[len(sk_e) - salt_size:]
    start = modes.CTR(salt + iv + bytes([0, 0, 0, 1])) if mode == "ctr" else modes.CBC(iv)
    cipher = Cipher(key.make(octets), start).encryptor()
    prefix = draw("sk prefix", 32)
    body = iv + cipher.update(text + padding + bytes([pad])) + cipher.finalize()
    body += mac(name, sk_a, prefix + body)[:icv_size]
    return {"encryption": encryption, "bits": bits, "integrity": integrity, "sk_e": sk_e.hex(), "sk_a": sk_a.hex(), "iv": iv.hex(),
            "prefix": prefix.hex(), "plaintext": text.hex(), "body": body.hex(), "least_padding": extra == 0}


class Key:
    def __init__(self, make, fixed=0):
        self.make, self.fixed = make, fixed

    def key_size(self, bits):
        return self.fixed or bits // 8


def sk_more():
    aes, camellia, des = Key(algorithms.AES), Key(algorithms.Camellia), Key(algorithms.TripleDES, 24)
    for size, extra in ((0, 0), (7, 0), (16, 0), (100, 0), (100, 32)):
        for integrity, name in ((1, "md5"), (5, "xcbc"), (8, "cmac")):
            yield sk_plain(12, 128, aes, "cbc", 16, 16, 0, integrity, name, 12, size, extra)
        for bits in (128, 192, 256):
            yield sk_plain(13, bits, aes, "ctr", 1, 8, 4, 12, "sha256", 16, size, extra)
            yield sk_plain(23, bits, camellia, "cbc", 16, 16, 0, 12, "sha256", 16, size, extra)
        yield sk_plain(3, 0, des, "cbc", 8, 8, 0, 2, "sha1", 12, size, extra)
    prefix = draw("sk prefix", 32)
    for size, pad in ((0, 0), (1, 0), (100, 0), (100, 3), (100, 255)):
        aeads = [(14 + i, bits, 3, bits // 8, 8 + 4 * i, lambda key, i=i: AESCCM(key, tag_length=8 + 4 * i))
                 for i in range(3) for bits in (128, 192, 256)] + [(28, 0, 4, 32, 16, ChaCha20Poly1305)]
        for encryption, bits, salt_size, key_size, icv_size, make in aeads:
            label = f"sk {encryption} {bits} {size} {pad}"
            sk_e, text = draw(label + " e", key_size + salt_size), draw(label + " text", size)
            iv = bytes(8) if pad == 0 else draw(label + " iv", 8)
            body = iv + make(sk_e[:key_size]).encrypt(sk_e[key_size:] + iv, text + draw(label + " padding", pad) + bytes([pad]), prefix)
            yield {"encryption": encryption, "bits": bits, "integrity": 0, "sk_e": sk_e.hex(), "sk_a": "", "iv": iv.hex(),
                   "prefix": prefix.hex(), "plaintext": text.hex(), "body": body.hex(), "least_padding": pad == 0}


def sk_bad_padding():
    """Good ICVs over texts whose pad length passes their start"""
    prefix = bytes(32)
    for text in (bytes([1]), bytes([0, 2]), bytes(15) + bytes([16]), bytes(15) + bytes([255])):
        sk_e = bytes(20)
        yield {"encryption": 20, "integrity": 0, "sk_e": sk_e.hex(), "sk_a": "",
               "body": (bytes(8) + AESGCM(sk_e[:-4]).encrypt(bytes(12), text, prefix)).hex()}
        if len(text) % 16:
            continue
        aes = Cipher(algorithms.AES(bytes(16)), modes.CBC(bytes(16))).encryptor()
        body = bytes(16) + aes.update(text) + aes.finalize()
        yield {"encryption": 12, "integrity": 12, "sk_e": bytes(16).hex(), "sk_a": bytes(32).hex(),
               "body": (body + hmac.new(bytes(32), prefix + body, "sha256").digest()[:16]).hex()}


vectors = {"modp": list(modp()), "prf_plus": list(prf_plus()), "sk": [*sk(), *sk_more()], "sk_bad_padding": list(sk_bad_padding())}
pathlib.Path(__file__).with_name("crypto.json").write_text(json.dumps(vectors, indent=1) + "\n")

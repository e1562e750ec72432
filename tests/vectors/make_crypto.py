#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes crypto.json, the vectors of tests/unit/crypto that no RFC prints.

MODP: the primes from the formula of RFC 3526 (pi computed here), powers with Python's integers.
prf+: Python's hmac, by the text of RFC 7296 2.13.
sk:   Encrypted payload bodies put together by hand from the raw AES of python3-cryptography.

Everything is drawn from a hash of a label, so that the file is the same each time. Needs python3-cryptography.
"""

import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


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
    # RFC 3526 3 to 7: group, bits, the constant behind pi; bits of a private key
    for group, bits, k, private_bits in ((14, 2048, 124476, 225), (15, 3072, 1690314, 275), (16, 4096, 240904, 325),
                                         (17, 6144, 929484, 375), (18, 8192, 4743158, 400)):
        p = modp_prime(bits, k)
        private = int.from_bytes(draw(f"modp {group} ours", (private_bits + 7) // 8), "big") % 2**private_bits
        peer = pow(2, int.from_bytes(draw(f"modp {group} theirs", bits // 8), "big"), p)
        number = lambda n, size=bits // 8: n.to_bytes(size, "big").hex()
        yield {"group": group, "prime": number(p), "private": number(private, (private_bits + 7) // 8),
               "public": number(pow(2, private, p)), "peer": number(peer), "shared": number(pow(peer, private, p))}


def prf_plus():
    for prf, name in ((2, "sha1"), (5, "sha256"), (6, "sha384"), (7, "sha512")):
        key, seed = draw(f"prf {name} key", 32), draw(f"prf {name} seed", 80)
        out = block = b""
        for counter in range(1, 9):
            block = hmac.new(key, block + seed + bytes([counter]), name).digest()
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


vectors = {"modp": list(modp()), "prf_plus": list(prf_plus()), "sk": list(sk()), "sk_bad_padding": list(sk_bad_padding())}
pathlib.Path(__file__).with_name("crypto.json").write_text(json.dumps(vectors, indent=1) + "\n")

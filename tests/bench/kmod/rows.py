# SPDX-License-Identifier: Apache-2.0
"""The rows of the benchmark: what is measured, in groups that share one set of policies, SAs and links. Known to the guest,
which measures, and to the host, which selects and judges.
"""
from dataclasses import dataclass

PATHS = ("transmit", "forward", "receive")
CIPHERS = ("null", "gcm", "cbc")
SIZES = (64, 1300)
SHAPES = ("one", "flows", "exact", "prefixes", "lengths", "ports", "equal", "interfaces")


@dataclass(frozen=True)
class Group:
    """`count` policies in each direction, or interfaces, of a shape; or, for "one", a policy that takes everything."""

    cipher: str
    shape: str
    count: int
    sizes: tuple
    kinds: tuple

    @property
    def name(self):
        return f"{self.cipher}/{self.shape}" + (f"-{self.count}" if self.shape != "one" else "")

    def rows(self, paths=PATHS):
        return [f"{path}/{self.name}/{size}" for path in paths for size in self.sizes]


def groups():
    """All of them, cheap ones first."""
    # svti before xfrm, whose turn needs one more set of policies.
    both = ("svti", "xfrm")
    found = [Group(cipher, "one", 1, SIZES, ("vti", "svti", "xfrm")) for cipher in CIPHERS]
    counts = {
        "flows": (1,),
        "exact": (1, 1000, 10000, 100000),
        "prefixes": (1, 1000, 10000, 100000),
        "lengths": (16, 10000),
        "ports": (1, 1000, 10000),
        "equal": (1, 1000, 10000),
        "interfaces": (1, 1000, 10000),
    }
    found += [Group("null", shape, n, (64,), both) for shape in SHAPES[1:] for n in counts[shape]]
    return sorted(found, key=lambda g: (g.shape != "one", g.count > 1000, g.count > 10000))


QUICK = ("null/one", "null/flows-1", "null/exact-1", "null/exact-1000", "null/ports-1", "null/ports-1000", "null/equal-1", "null/equal-1000")

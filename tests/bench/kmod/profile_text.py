# SPDX-License-Identifier: Apache-2.0
"""Makes of the instruction traces of profile.c what a packet spends in which function."""
import bisect
import collections

SHOWN = 45


class Symbols:
    """Functions of the kernel and its modules, as /proc/kallsyms of the guest had them."""

    def __init__(self, text):
        entries = []
        for line in text.splitlines():
            words = line.split()
            if words[1] in "tTwW":
                entries.append((int(words[0], 16), words[2] + (" " + words[3] if len(words) > 3 else "")))
        entries.sort()
        self.starts = [start for start, _ in entries]
        self.names = [name for _, name in entries]

    def name(self, address):
        at = bisect.bisect_right(self.starts, address) - 1
        return self.names[at] if at >= 0 else hex(address)


def traces(file):
    """{number of the run: [address]}"""
    found, current = {}, None
    for line in file.read_text().splitlines():
        if line.startswith("run "):
            current = found.setdefault(int(line[4:]), [])
        else:
            current.append(int(line, 16))
    return found


def render(exchange, figures):
    """One table for each row and kind: instructions and function, the costliest first; then sums by module."""
    found = traces(exchange / "profile")
    lines, symbols = [], {}
    for figure in figures:
        for what, run in (("", figure.get("run")), (" (own part)", figure.get("own_run"))):
            if run not in found or what and figure["kind"] != "svti":
                continue
            file = exchange / figure["symbols"]
            if file not in symbols:
                symbols[file] = Symbols(file.read_text())
            counts = collections.Counter(symbols[file].name(address) for address in found[run])
            modules = collections.Counter()
            for name, count in counts.items():
                modules[name.split(" ")[1] if " " in name else "kernel"] += count
            lines += ["", f"{figure['row']} {figure['kind']}{what}: {len(found[run])} instructions; " + ", ".join(f"{m} {n}" for m, n in modules.most_common())]
            lines += [f"{count:>8}  {name}" for name, count in counts.most_common(SHOWN)]
    return "\n".join(lines)

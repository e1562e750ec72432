# SPDX-License-Identifier: Apache-2.0
"""Judges the figures by what is to be reached, and writes them into docs/benchmarks.md."""
import rows

# svti's instructions as a multiple of xfrm interface's, null cipher, one policy.
RATIO_TO_REACH = {"transmit": 0.6, "forward": 0.6, "receive": 0.85}
OWN_TO_REACH = 700
# Of any number of policies or interfaces, against one of the same shape.
GROWTH_TO_REACH = 1.1
# To make an interface among many, against an xfrm interface among as many.
CREATE_TO_REACH = 1.5
BEGIN, END = "<!-- scripts/bench kmod: begin -->", "<!-- scripts/bench kmod: end -->"


def short(kv):
    return kv.split("-")[0]


def table(figures):
    """{(row, kind): the costliest of the interfaces that were measured}, of one kernel; without what failed."""
    found = {}
    for figure in figures:
        key = figure["row"], figure["kind"]
        if "error" not in figure and ("median" not in found.get(key, {}) or figure["median"] > found[key]["median"]):
            found[key] = figure
    return found


def failures(figures):
    return [
        f"{short(kv)} {figure['row']} {figure['kind']}: {figure['error']}" for kv, found in figures.items() for figure in found if "error" in figure
    ]


def base_of(figure, found):
    """The same with the fewest policies or interfaces of that shape."""
    same = [f for (_, kind), f in found.items() if kind == "svti" and all(f[k] == figure[k] for k in ("path", "cipher", "size", "shape"))]
    return min(same, key=lambda f: f["count"])


def judge(figures):
    """[{kernel, row, what, figure, limit, reached}] of everything that has a figure to reach."""
    verdicts = []

    def add(kv, row, what, figure, limit):
        verdicts.append(dict(kernel=short(kv), row=row, what=what, figure=figure, limit=limit, reached=figure <= limit))

    for kv, recorded in figures.items():
        found = table(recorded)
        for (row, kind), figure in found.items():
            if kind != "svti" or figure["cipher"] != "null":
                continue
            peer = found.get((row, "xfrm"))
            if figure["shape"] == "one":
                if peer and figure["size"] == 64:
                    ratio = round(figure["median"] / peer["median"], 3)
                    add(kv, row, "times xfrm interface", ratio, RATIO_TO_REACH[figure["path"]])
                if "own" in figure:
                    add(kv, row, "own instructions", figure["own"], OWN_TO_REACH)
                continue
            if figure["path"] == "transmit" and figure["count"] > 1 and "create" in figure and peer:
                add(kv, row, "creation, times xfrm interface", round(figure["create"] / peer["create"], 3), CREATE_TO_REACH)
            base = base_of(figure, found)
            if figure["count"] > base["count"] and figure["shape"] != "lengths":
                growth = round(figure["median"] / base["median"], 3)
                add(kv, row, f"times that of {base['count']}", growth, GROWTH_TO_REACH)
    return verdicts


def cell(figure, key="median"):
    return f"{figure[key]:,}" if figure and key in figure else "-"


def lines_of(kv, recorded, judged):
    """The Markdown of one kernel."""
    found = table(recorded)
    missed = {(v["row"], v["what"].split()[0]) for v in judged if v["kernel"] == short(kv) and not v["reached"]}
    yield f"### Linux {short(kv)}: one policy"
    yield ""
    yield "| path | cipher | octets | svti | xfrm interface | VTI | svti / xfrm | own: svti | own: xfrm | own: VTI |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for path in rows.PATHS:
        for cipher in rows.CIPHERS:
            for size in rows.SIZES:
                row = f"{path}/{cipher}/one/{size}"
                svti, xfrm, vti = (found.get((row, kind)) for kind in ("svti", "xfrm", "vti"))
                if not svti:
                    continue
                ratio = f"{svti['median'] / xfrm['median']:.2f}" if xfrm else "-"
                ratio += " (missed)" if (row, "times") in missed else ""
                own = cell(svti, "own") + (" (missed)" if (row, "own") in missed else "")
                yield f"| {path} | {cipher} | {size:,} | {cell(svti)} | {cell(xfrm)} | {cell(vti)} | {ratio} | {own} | {cell(xfrm, 'own')} | {cell(vti, 'own')} |"
    shapes = [(f["shape"], f["count"]) for f in found.values() if f["shape"] != "one"]
    if not shapes:
        return
    yield ""
    yield f"### Linux {short(kv)}: as policies and interfaces grow (null cipher, 64 octets)"
    yield ""
    yield "| shape | number | transmit: svti | growth | xfrm | forward: svti | growth | xfrm | receive: svti | growth | xfrm |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for shape, count in sorted(set(shapes), key=lambda s: (rows.SHAPES.index(s[0]), s[1])):
        cells = [shape, f"{count:,}"]
        for path in rows.PATHS:
            row = f"{path}/null/{shape}-{count}/64"
            svti, xfrm = (found.get((row, kind)) for kind in ("svti", "xfrm"))
            growth = f"{svti['median'] / base_of(svti, found)['median']:.2f}" if svti else "-"
            growth += " (missed)" if (row, "times") in missed else ""
            cells += [cell(svti), growth, cell(xfrm)]
        yield "| " + " | ".join(cells) + " |"
    made = [(f["count"], f["create"], found.get((row, "xfrm"), {}).get("create")) for (row, kind), f in found.items() if kind == "svti" and f["path"] == "transmit" and f.get("create")]
    if made:
        yield ""
        yield "Instructions to make an interface, when so many are made (svti, xfrm interface): " + "; ".join(
            f"{count:,}: {svti:,}, {xfrm or 0:,}" for count, svti, xfrm in sorted(made)
        )


def write(file, figures, judged):
    """Puts the tables between the two marks in the document, which says around them what they mean."""
    text = file.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    body = []
    for kv, recorded in figures.items():
        body += [*lines_of(kv, recorded, judged), ""]
    missed = [f"- {v['kernel']} `{v['row']}`: {v['what']} {v['figure']}, to reach {v['limit']}" for v in judged if not v["reached"]]
    failed = [f"- {line}" for line in failures(figures)]
    if failed:
        body += ["Rows that failed:", "", *failed, ""]
    body += [f"Reached: {len(judged) - len(missed)} of {len(judged)} figures." + (" Missed:" if missed else ""), ""]
    body += [*missed, ""] if missed else []
    file.write_text(f"{head}{BEGIN}\n\n" + "\n".join(body) + f"\n{END}{tail}")

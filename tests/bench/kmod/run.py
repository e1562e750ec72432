# SPDX-License-Identifier: Apache-2.0
"""scripts/bench kmod: instructions that a packet costs on an svti, beside xfrm interface and VTI in the same boot.

Each kernel is booted in QEMU with -icount, which makes the guest's time stamp counter count its instructions: figures are the
same on every machine and under any load. They are no throughput: caches, atomics and contention cost nothing here.
"""
import argparse
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
BUILD = ROOT / "build"
MODULES = pathlib.Path(os.environ.get("SVTI_MODULES", BUILD / "kmod"))
sys.path.insert(0, str(HERE))

import profile_text  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402

EXIT_MISSED, EXIT_FAILED = 1, 3
vms = []  # those that run, to be ended with this program


class BenchError(Exception):
    """The benchmark could not be run; the text says why."""


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="scripts/bench kmod",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__,
        epilog="exit status: 0 all reached, 1 a row misses what is to be reached, 3 a row or a VM failed\n\n"
        "examples:\n  scripts/bench kmod --list\n  scripts/bench kmod 'null/*' --kernel 6.1 --json figures.json\n"
        "  scripts/bench kmod null/one --path receive --profile\n",
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="groups of rows, as --list names them; * stands for anything (default: all)")
    parser.add_argument("--kernel", action="append", metavar="SERIES", help="6.1 or 6.12, may be repeated (default: every installed kernel)")
    parser.add_argument("--path", action="append", choices=rows.PATHS, help="may be repeated (default: all three)")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(rows.QUICK)}")
    parser.add_argument("--list", action="store_true", help="print the groups with their rows and stop")
    parser.add_argument("--json", metavar="FILE", help="write all figures there; - for the standard output")
    parser.add_argument("--write", action="store_true", help="write the table into docs/benchmarks.md also after a selection of rows")
    parser.add_argument("--add", action="append", default=[], metavar="FILE", help="figures that --json wrote before, taken along as if they were of this run, but for rows that are measured anew; may be repeated")
    parser.add_argument("--no-build", action="store_true", help="use the modules that build/ holds")
    parser.add_argument("--serial", action="store_true", help="one kernel after the other, not at the same time")
    parser.add_argument("--profile", action="store_true", help="where the instructions go, function by function, one packet a row")
    args = parser.parse_args(argv)
    known = [group.name for group in rows.groups()]
    if args.quick and args.groups:
        parser.error("either --quick or groups by name")
    wanted = list(rows.QUICK) if args.quick else args.groups or ["*"]
    for pattern in wanted:
        if not fnmatch.filter(known, pattern):
            parser.error(f"there is no group {pattern}; --list prints them")
    args.names = [name for name in known if any(fnmatch.fnmatch(name, pattern) for pattern in wanted)]
    args.path = args.path or list(rows.PATHS)
    args.complete = set(args.names) == set(known) and set(args.path) == set(rows.PATHS)
    return args


def kernels(series):
    """Versions of the kernels that are meant."""
    found = subprocess.run([ROOT / "scripts/vm", "--list-kernels"], capture_output=True, text=True, check=True).stdout.split()
    found = [kv for kv in found if os.path.isdir(f"/lib/modules/{kv}/build")]
    if not series:
        newest = {".".join(kv.split(".")[:2]): kv for kv in found}
        found = list(newest.values())
    else:
        chosen = []
        for wanted in series:
            matching = [kv for kv in found if kv == wanted or kv.startswith((wanted + ".", wanted + "-"))]
            if not matching:
                raise BenchError(f"no kernel {wanted} with image, modules and headers: run scripts/setup")
            chosen.append(matching[-1])
        found = chosen
    if not found:
        raise BenchError("no kernel with image, modules and headers: run scripts/setup")
    return found


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{' '.join(str(word) for word in command)}:\n{done.stdout}{done.stderr}")


def build(kv):
    run(ROOT / "scripts/build-kmod", kv, MODULES / kv)
    out = BUILD / "bench" / kv
    out.mkdir(parents=True, exist_ok=True)
    for name in ("Kbuild", "svti_bench.c"):
        run("cp", "-u", HERE / name, out / name)
    run("make", "-s", "-C", f"/lib/modules/{kv}/build", f"M={out}", "W=1", "modules")


def with_earlier(figures, files):
    """`figures` and those of earlier runs; the last word about a row counts."""
    found = {}
    for earlier in [*(json.loads(pathlib.Path(file).read_text())["figures"] for file in files), figures]:
        for kv, recorded in earlier.items():
            rows_of = found.setdefault(kv, {})
            for one in {one["row"] for one in recorded}:
                rows_of[one] = [record for record in recorded if record["row"] == one]
    order = [row for group in rows.groups() for row in group.rows(rows.PATHS)]
    return {kv: [one for row in sorted(by_row, key=order.index) for one in by_row[row]] for kv, by_row in sorted(found.items(), key=lambda item: [int(part) for part in item[0].split("-")[0].split("+")[0].split(".")])}


def build_plugin():
    plugin = BUILD / "bench" / "profile.so"
    run("gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", plugin, HERE / "profile.c")
    return plugin


def stage(kv, folder):
    """What the guest uses, aside: a build in the meantime must not change it."""
    for file in (MODULES / kv / "svti.ko", BUILD / "bench" / kv / "svti_bench.ko", *HERE.glob("*.py")):
        if not file.exists():
            raise BenchError(f"{file} is missing: leave out --no-build")
        shutil.copy(file, folder)


def measure(kv, args, say):
    """All selected rows on one kernel: what guest.py has recorded."""
    work = BUILD / "vm"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"bench-{kv}-", dir=work) as top:
        folder, exchange = pathlib.Path(top) / "stage", pathlib.Path(top) / "exchange"
        folder.mkdir()
        exchange.mkdir()
        stage(kv, folder)
        command = [ROOT / "scripts/vm", "--kernel", kv, "--icount", "--append", "cryptomgr.notests=1", "--memory", "3072", "--timeout", "3000", "--silence", "900", "--exchange", exchange]
        if args.profile:
            (exchange / "profile-wanted").touch()
            command += ["--plugin", f"{build_plugin()},out={exchange}/profile"]
        command += ["--", "/usr/bin/python3", "-B", folder / "guest.py", folder, "/.svti-vm/figures.json", ",".join(args.path), *args.names]
        vm = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        vms.append(vm)
        for line in vm.stdout:
            say(kv, line.rstrip())
        figures = exchange / "figures.json"
        if vm.wait() or not figures.exists():
            raise BenchError(f"the VM with {kv} failed (status {vm.returncode}): see above")
        found = json.loads(figures.read_text())
        if args.profile:
            say(kv, profile_text.render(exchange, found))
        return found


def end_vms(number, _):
    """Takes the VMs along when this program is ended; what they were about to tell is lost."""
    for vm in vms:
        vm.terminate()
    sys.exit(128 + number)


def main(argv):
    args = parse(argv)
    signal.signal(signal.SIGTERM, end_vms)
    if args.list:
        for group in rows.groups():
            print(f"{group.name:<24}{' '.join(group.rows(args.path))}")
        return 0
    lock = threading.Lock()

    def say(kv, line):
        with lock:
            print(f"{kv.split('-')[0]} | {line}", file=sys.stderr, flush=True)

    try:
        versions = kernels(args.kernel)
        if not args.no_build:
            for kv in versions:
                print(f"bench: building the modules for {kv}", file=sys.stderr, flush=True)
                build(kv)
        with concurrent.futures.ThreadPoolExecutor(1 if args.serial else len(versions)) as pool:
            figures = dict(zip(versions, pool.map(lambda kv: measure(kv, args, say), versions)))
    except BenchError as error:
        print(f"bench: FAILED: {error}", file=sys.stderr)
        return EXIT_FAILED

    figures = with_earlier(figures, args.add)
    judged = report.judge(figures)
    if args.json:
        text = json.dumps({"figures": figures, "judged": judged}, indent=1) + "\n"
        if args.json == "-":
            sys.stdout.write(text)
        else:
            pathlib.Path(args.json).write_text(text)
    if args.complete or args.write:
        report.write(ROOT / "docs/benchmarks.md", figures, judged)
        print("bench: written: docs/benchmarks.md", file=sys.stderr)
    failed = report.failures(figures)
    for line in failed:
        print(f"bench: FAILED: {line}", file=sys.stderr)
    missed = [verdict for verdict in judged if not verdict["reached"]]
    for verdict in missed:
        print(f"bench: MISSED: {verdict['kernel']} {verdict['row']}: {verdict['what']} is {verdict['figure']}, to reach {verdict['limit']}", file=sys.stderr)
    print(f"bench: {len(judged) - len(missed)} of {len(judged)} figures reached", file=sys.stderr)
    return EXIT_FAILED if failed else EXIT_MISSED if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

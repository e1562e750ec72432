# SPDX-License-Identifier: Apache-2.0
"""Fixtures and reporting of the VM tests. They run as root in a VM, or on a host in namespaces of their own (scripts/vm-test).

Each test prints `name result seconds` when it ends, a failed one also what failed, the state of its hosts, the end of its
logs, and what the kernel said. A test that cannot run (a program missing) fails: nothing is skipped.

Emulation on a busy machine stretches time unevenly. A failed test is run once more, by itself, when all others are done; it counts as unsteady when it
passes then. More than UNSTEADY_BEARABLE of them, what the kernel logged, or an IKE message that tshark finds wrong fail the run. The end names them
all, with what went wrong.
"""
import os
import re
import signal
import sys
import time

import pytest

import messages
from lab import PATIENCE, Gateways, Lab

KERNEL_TROUBLE = re.compile(
    r"WARNING: |BUG: |Oops|general protection fault|KASAN|possible (recursive|circular) locking|suspicious RCU usage|"
    r"refcount_t: |blocked for more than|unregister_netdevice: waiting|scheduling while atomic|sleeping function called|list_(add|del) corruption"
)
KERNEL_LOG = "kernel log:"  # heads a failure that is never tried again
DEFAULT_LIMIT = 240
UNSTEADY_BEARABLE = 2


# --- fixtures ---


@pytest.fixture(autouse=True)
def kernel_log():
    """Fails the test when the kernel logs a warning or worse while it runs or cleans up. `kernel_log()` gives the lines so far."""
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(fd, 0, os.SEEK_END)
    lines = []

    def read():
        while True:
            try:
                record = os.read(fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                continue  # overwritten before it was read
            lines.append(record.split(";", 1)[-1].rstrip("\n"))

    yield read
    log = read()
    os.close(fd)
    trouble = next((n for n, line in enumerate(log) if KERNEL_TROUBLE.search(line)), None)
    if trouble is not None:
        pytest.fail(KERNEL_LOG + "\n" + "\n".join(log[max(0, trouble - 3) : trouble + 50]), pytrace=False)


@pytest.fixture
def lab(request, kernel_log):
    """An empty laboratory."""
    made = Lab(request.node.nodeid.replace(".py::", "::"))
    yield made
    if getattr(request.node, "failed", False):
        request.node.lab_report = made.report()
    made.close()


@pytest.fixture
def gateways(lab):
    """Two gateways with a client behind each, routers between them, no tunnel."""
    return Gateways(lab)


@pytest.fixture
def g(gateways):
    """Gateways with an SVTI each; strongSwan on gwb, unlike svti-iked on gwa, installs no routes into it. Files may have their own."""
    gateways.svtis()
    gateways.gwb.route("192.168.0.0/24", dev="svti100")
    return gateways


# --- reporting, and a limit to the time a test may take ---


def pytest_configure(config):
    config.addinivalue_line("markers", f"limit(seconds): the test is stopped and fails after so long (default {DEFAULT_LIMIT})")
    config.reporter = Reporter()
    config.pluginmanager.register(config.reporter)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    marker = item.get_closest_marker("limit")
    limit = int(PATIENCE * (marker.args[0] if marker else DEFAULT_LIMIT))

    def expired(*_):
        pytest.fail(f"still running after {limit} s", pytrace=True)

    signal.signal(signal.SIGALRM, expired)
    signal.alarm(limit)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when in ("setup", "call") and not report.passed:
        item.failed = True


def pytest_report_teststatus(report):
    return report.outcome, "", ""


class Reporter:
    def __init__(self):
        self.passed = 0
        self.failures = {}  # item to what went wrong, in a line
        self.unsteady = {}
        self.final = []  # failures that a second try does not mend: of the kernel, of a file that cannot be read
        self.started = time.monotonic()
        self.phases = []

    def say(self, text):
        sys.__stdout__.write(text + "\n")
        sys.__stdout__.flush()

    def pytest_runtest_logstart(self):
        self.phases = []

    def pytest_collectreport(self, report):
        if report.failed:
            self.final.append(f"{report.nodeid}: cannot be read")
            self.say(f"{report.nodeid:<86} FAIL\n{report.longreprtext}")

    def pytest_runtest_logreport(self, report):
        self.phases.append(report)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self, session):
        yield
        again = list(self.failures)
        for item in again:
            self.say(f"once more: {item.nodeid}")
            item.failed, item.lab_report = False, ""
            item._initrequest()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        yield
        self.ended(item)

    def ended(self, item):
        bad = [phase for phase in self.phases if not phase.passed or hasattr(phase, "wasxfail")]
        seconds = sum(phase.duration for phase in self.phases)
        name = item.nodeid.replace(".py::", "::")
        self.say(f"{name:<86} {'FAIL' if bad else 'pass'} {seconds:6.1f} s")
        if not bad:
            if item in self.failures:
                self.unsteady[item] = self.failures.pop(item)
            self.passed += 1
            return
        for phase in bad:
            what = "skipped, which counts as failed: " if phase.skipped else ""
            self.say(f"    {phase.when}: {what}" + phase.longreprtext.replace("\n", "\n    "))
        if getattr(item, "lab_report", ""):
            self.say("    " + item.lab_report.replace("\n", "\n    "))
        gist = f"{name}: {gist_of(bad[0].longreprtext)}"
        if any(phase.longreprtext.startswith(KERNEL_LOG) for phase in bad):
            self.failures.pop(item, None)
            self.final.append(gist)
        else:
            self.failures[item] = gist

    def pytest_sessionfinish(self, session):
        if session.config.option.collectonly:
            return
        read, wrong = messages.check()
        self.final += wrong
        if read:
            self.say(f"vm-test: tshark has read {read} IKE messages that we sent, {len(wrong)} of them are wrong")
        failed = self.final + list(self.failures.values())
        for gist in failed:
            self.say(f"vm-test: failed: {gist}")
        for gist in self.unsteady.values():
            self.say(f"vm-test: unsteady, passed when run once more: {gist}")
        if len(self.unsteady) > UNSTEADY_BEARABLE:
            failed.append("unsteady")
            self.say(f"vm-test: failed: {len(self.unsteady)} tests are unsteady, {UNSTEADY_BEARABLE} are borne")
        if session.exitstatus in (0, 1):  # neither interrupted nor broken
            session.exitstatus = 1 if failed or not self.passed else 0
        seconds = time.monotonic() - self.started
        if not self.passed and not failed:
            self.say("vm-test: no test selected")
        self.say(f"vm-test: {os.uname().release}: {self.passed} passed, {len(failed)} failed, {len(self.unsteady)} unsteady in {seconds:.0f} s")


def gist_of(text):
    """The line of a failure that says what went wrong."""
    if text.startswith(KERNEL_LOG):
        return next((line for line in text.splitlines() if KERNEL_TROUBLE.search(line)), text)[:300]
    lines = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return (lines or text.splitlines() or ["?"])[0][:300]


def pytest_collection_modifyitems(items):
    # Cheap and basic things first, so that a broken module shows before a long series of daemons fails on it.
    order = {"lab": 0, "svti": 1, "tools": 2, "kernel": 3, "iked": 4, "interop": 5, "demo": 6}
    items.sort(key=lambda item: order.get(item.path.stem.split("_")[1] if "_" in item.path.stem else "", 9))



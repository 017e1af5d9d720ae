#!/usr/bin/env python3
"""`scripts/bench recipes`: the recipe engine beside other tools, all with the same work on the same machine.

Every run begins with a fresh container of the project's own machine image, into which the peers are installed once
(goldseed/bench; `scripts/setup --remove` removes it too). The tools take turns, so that what else the machine does
meets all of them.
"""

import datetime
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

import workload

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
KEPT = Path("/var/lib/goldseed-sandbox")
LABEL = "goldseed.sandbox=images"
IMAGE = "goldseed/bench"
BASE = "goldseed/machine-base"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
NAME = "goldseed-bench"


@dataclass
class Runs:
    """What was measured, in seconds."""

    wall: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    """Of all cores together: what a busy machine changes less."""

    def add(self, line):
        wall, cores = map(float, line.split())
        self.wall.append(wall)
        self.cores.append(cores)

    def against(self, other):
        """How many times longer the median is."""
        return statistics.median(self.wall) / statistics.median(other.wall)


@dataclass
class Tool:
    name: str
    command: list[str]
    """What is timed."""
    rounds: int
    """How many fresh machines."""
    again: int
    """How many runs with nothing to do on each of them."""
    before: str = "true"
    """Prepares the machine, unmeasured."""
    first: Runs = field(default_factory=Runs)
    nothing: Runs = field(default_factory=Runs)
    changes_again: bool = False


TOOLS = [
    Tool("goldseed", ["sh", "/work/script.sh"], rounds=5, again=5),
    Tool(
        "goldseed, bash and gawk",
        ["bash", "--posix", "/work/script.sh"],
        rounds=5,
        again=3,
        before="update-alternatives --quiet --set awk /usr/bin/gawk",
    ),
    Tool(
        "goldseed, busybox",
        ["busybox", "sh", "/work/script.sh"],
        rounds=5,
        again=3,
        before="for name in awk base64 cat chmod chown cmp grep mkdir mv readlink rm sh sha256sum stat; do"
        " ln -s /bin/busybox /usr/local/sbin/$name; done",
    ),
    # Its locks would keep it from looking again within a minute.
    Tool("CFEngine", ["cf-agent", "--no-lock", "--file", "/work/policy.cf"], rounds=5, again=5),
    Tool("pyinfra, @local", ["/opt/peers/bin/pyinfra", "-y", "@local", "/work/deploy.py"], rounds=3, again=1),
    Tool("Ansible, local", ["/opt/peers/bin/ansible-playbook", "-i", "localhost,", "/work/playbook.yml"], rounds=3, again=1),
]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def fail(text):
    sys.exit(f"bench: {text}")


def call(*command, **options):
    """Runs a command and returns what it prints; what it says besides is shown when it fails."""
    options.setdefault("stderr", subprocess.PIPE)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        print(done.stderr or "", file=sys.stderr, end="")
        fail(f"{' '.join(command[:6])} … ended with status {done.returncode}")
    return done.stdout


class Machines:
    """Containers, with the engine and the flags that `scripts/setup` found out."""

    def __init__(self):
        try:
            self.engine, *self.flags = (KEPT / "engine").read_text().split("\n")
        except OSError:
            fail("run scripts/setup first")
        self.flags = [flag for flag in self.flags if flag]
        self.root = [] if os.geteuid() == 0 else ["sudo", "--"]

    def run(self, *arguments, **options):
        return call(*self.root, self.engine, *arguments, **options)

    def start(self, image, *flags):
        self.remove()
        self.run(
            "run", "--detach", "--name", NAME, "--label", LABEL, *self.flags, *flags,
            "--volume", f"{HERE}:/bench:ro", image, "sleep", "infinity",
        )  # fmt: skip

    def inside(self, *command, folder="/root"):
        return self.run("exec", "--workdir", folder, NAME, *command)

    def remove(self):
        # `rm --force` alone would give it ten seconds to end by itself.
        for command in (["kill", "--signal", "KILL"], ["rm", "--force"]):
            subprocess.run([*self.root, self.engine, *command, NAME], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ensure_image(self):
        """The peers are installed anew when the base image or the script `install` has changed."""
        base = self.run("image", "inspect", "--format", "{{.Id}}", BASE).strip()
        digest = hashlib.sha256(base.encode() + (HERE / "install").read_bytes()).hexdigest()[:16]
        found = subprocess.run(
            [*self.root, self.engine, "image", "inspect", "--format", '{{index .Config.Labels "goldseed.digest"}}', IMAGE],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        if found.stdout.strip() == digest:
            return
        say(f"installing the other tools into the image {IMAGE} (once)")
        # The machine reaches the registries as this one does.
        flags = ["--network", "host"]
        if CERTIFICATES.exists():
            flags += ["--volume", f"{CERTIFICATES}:/tmp/certificates:ro", "--env", "PIP_CERT=/tmp/certificates"]
        for name in ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL"):
            flags += ["--env", f"{name}={os.environ[name]}"] if name in os.environ else []
        self.start(BASE, *flags)
        self.inside("sh", "/bench/install")
        changes = [f"LABEL {LABEL}", f"LABEL goldseed.digest={digest}"]
        self.run("commit", *(word for change in changes for word in ("--change", change)), NAME, IMAGE)
        self.remove()


def measure(machines, tool, work, states):
    """One fresh machine: the first run, the runs after it, and the state that it comes to."""
    machines.start(IMAGE, "--network", "none", "--volume", f"{work}:/work:ro")
    machines.inside("sh", "/bench/ground")
    machines.inside("sh", "-c", tool.before)

    def clock():
        return machines.inside("python3", "/bench/inside.py", "clock", "/root/log", *tool.command)

    tool.first.add(clock())
    touched = machines.inside("python3", "/bench/inside.py", "touched")
    for _ in range(tool.again):
        tool.nothing.add(clock())
    tool.changes_again |= machines.inside("python3", "/bench/inside.py", "touched") != touched
    state = machines.inside("python3", "/bench/inside.py", "state")
    machines.remove()
    reference = next(iter(states.values()), state)
    states[tool.name] = state
    if state != reference:
        lines = unified_diff(reference.splitlines(), state.splitlines(), TOOLS[0].name, tool.name, lineterm="", n=0)
        fail("the end states differ:\n" + "\n".join(lines))


def engine(machines, work):
    """Builds the engine's own part and returns its results by name."""
    say("building the engine's part")
    built = call(
        "cargo", "bench", "--locked", "--quiet", "--bench", "recipes", "--no-run",
        "--message-format", "json-render-diagnostics", cwd=ROOT, stderr=None,
    )  # fmt: skip
    messages = [json.loads(line) for line in built.splitlines()]
    binary = next(one["executable"] for one in messages if one.get("executable") and one["target"]["name"] == "recipes")
    arguments = [str(work / "bench.yaml"), str(work / "script.sh"), str(HERE / "ground")]
    said = call(*machines.root, binary, *arguments)
    return dict(line.split(" ", 1) for line in said.splitlines())


def table(tools, results):
    ours = tools[0]

    def cells(runs, reference):
        ratio = runs.against(reference)
        wall, cores = statistics.median(runs.wall), statistics.median(runs.cores)
        return f"{wall:.3f} s | {ratio:,.{0 if ratio >= 10 else 1}f} | {cores:.3f} s"

    yield "| tool | first run | × ours | of the cores | nothing to do | × ours | of the cores |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for tool in tools:
        yield f"| {tool.name} | {cells(tool.first, ours.first)} | {cells(tool.nothing, ours.nothing)} |"
    yield ""

    def ratios(name):
        tool = next(tool for tool in tools if tool.name.startswith(name))
        return tool.first.against(ours.first), tool.nothing.against(ours.nothing)

    ansible, cfengine = ratios("Ansible"), ratios("CFEngine")
    compiled, calls = float(results["compile-milliseconds"]), int(results["calls-first"])
    yield "| goal | measured | |"
    yield "|---|---:|---|"
    for goal, measured, met in [
        ("first run, times faster than Ansible: at least 85", f"{ansible[0]:,.0f}", ansible[0] >= 85),
        ("nothing to do, times faster than Ansible: at least 1,100", f"{ansible[1]:,.0f}", ansible[1] >= 1100),
        ("first run, times faster than CFEngine: more than 1", f"{cfengine[0]:.1f}", cfengine[0] > 1),
        ("nothing to do, times faster than CFEngine: more than 1", f"{cfengine[1]:.1f}", cfengine[1] > 1),
        ("compile of 1,000 steps: under 50 ms", f"{compiled:.1f} ms", compiled < 50),
        ("AWS calls of the whole apply: at most 4", f"{calls}", calls <= 4),
    ]:
        yield f"| {goal} | {measured} | {'met' if met else 'missed'} |"
    yield ""
    for name in ("first", "again"):
        yield f"AWS calls, {name} run: {results[f'calls-{name}-are']}"


def main():
    began = datetime.datetime.now()
    machines = Machines()
    states = {}
    try:
        machines.ensure_image()
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            workload.write(work)
            results = engine(machines, work)
            for turn in range(max(tool.rounds for tool in TOOLS)):
                say(f"round {turn + 1}")
                for tool in TOOLS:
                    if turn < tool.rounds:
                        measure(machines, tool, work, states)
    finally:
        machines.remove()
    digest = hashlib.sha256(next(iter(states.values())).encode()).hexdigest()[:16]
    cores = os.cpu_count()
    print(f"{began:%Y-%m-%d}, {cores} cores, {workload.COUNT} resources, script of {int(results['script-bytes']):,} bytes")
    print(f"All tools came to the same state (digest {digest}). Medians:\n")
    print("\n".join(table(TOOLS, results)))
    for tool in TOOLS:
        if tool.changes_again:
            print(f"{tool.name} wrote something again where nothing was to be done")
    say(f"took {(datetime.datetime.now() - began).seconds} s")


if __name__ == "__main__":
    main()

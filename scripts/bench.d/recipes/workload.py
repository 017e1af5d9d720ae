#!/usr/bin/env python3
"""The workload of `scripts/bench recipes`: 170 resources, described once and written for every tool.

    workload.py FOLDER

writes into the folder: `bench.yaml` with `files/` (goldseed), `policy.cf` (CFEngine), and `values.json`, which the
hand-written `playbook.yml` (Ansible) and `deploy.py` (pyinfra) read.
"""

import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent

DIRECTORIES = [f"d{number:02}" for number in range(20)]
SITES = [f"d{number % 20:02}/site-{number:03}" for number in range(100)]
USERS = [
    {"name": f"bench{number:02}", "uid": 3000 + number, "home": f"/srv/bench/home/bench{number:02}"} for number in range(10)
]
SHELL = "/usr/sbin/nologin"
CRON = [
    {"path": f"/etc/cron.d/bench-job-{number}", "content": f"{number * 5} 3 * * * www-data /usr/local/bin/job-{number} --quiet\n"}
    for number in range(10)
]


def edits(path, keys):
    """One line for each key; the pattern means the same to grep, sed, awk, Python and PCRE."""
    return [
        {"path": path, "key": key, "match": f"^#*{key} *=.*$", "line": f"{key} = new value {number}"}
        for number, key in enumerate(keys)
    ]


# Of the ten in each file two are not there before.
EDITS = edits("/srv/bench/etc/app.conf", [f"key{number:02}" for number in (3, 6, 13, 20, 27, 34, 41, 55, 70, 71)]) + edits(
    "/srv/bench/etc/long.conf", [f"option{number:04}" for number in (2, 3, 250, 600, 900, 1200, 1547, 1898, 2001, 2002)]
)
CREATES = [
    {"creates": f"/srv/bench/marks/made-{number}", "command": f"echo 'made once' > /srv/bench/marks/made-{number}"}
    for number in range(5)
]
UNLESS = [
    {
        "unless": f"grep -qx 'line {number}' /srv/bench/marks/log",
        "command": f"echo 'line {number}' >> /srv/bench/marks/log",
    }
    for number in range(5)
]

COUNT = sum(map(len, (DIRECTORIES, SITES, USERS, CRON, EDITS, CREATES, UNLESS)))


def recipe():
    """Every JSON text is YAML, so values are written as JSON."""

    def step(kind, **values):
        return f"  - {kind}: {{" + ", ".join(f"{key.replace('_', '-')}: {json.dumps(value)}" for key, value in values.items()) + "}"

    lines = [
        "recipe: 1",
        "name: bench",
        "summary: The workload of scripts/bench recipes",
        "params:",
        f"  directories: {{type: list, default: {json.dumps(DIRECTORIES)}}}",
        f"  sites: {{type: list, default: {json.dumps(SITES)}}}",
        "steps:",
        step("directory", path="/srv/bench/app/${{ item }}", owner="www-data", group="www-data", mode="0750"),
        "    each: directories",
        step(
            "file",
            path="/srv/bench/app/${{ item }}.conf",
            template="files/site.conf",
            owner="www-data",
            group="www-data",
            mode="0640",
        ),
        "    each: sites",
    ]
    lines += [step("user", **user, shell=SHELL, system=True) for user in USERS]
    lines += [step("file", **entry) for entry in CRON]
    lines += [step("line", path=edit["path"], line=edit["line"], match=edit["match"]) for edit in EDITS]
    lines += [step("run", **command) for command in CREATES + UNLESS]
    return "\n".join(lines) + "\n"


def policy():
    """CFEngine's, with its own bodies and bundles in place of the standard library, whose reading takes time."""

    def quoted(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    template = (HERE / "files/site.conf").read_text()
    files = []
    for name in DIRECTORIES:
        files.append(f'    "/srv/bench/app/{name}/." create => "true", perms => owned("www-data", "www-data", "0750");')
    for site in SITES:
        content = quoted(template.replace("{{ item }}", site))
        files.append(
            f'    "/srv/bench/app/{site}.conf" create => "true", perms => owned("www-data", "www-data", "0640"),'
            f"\n      content => {content};"
        )
    for entry in CRON:
        files.append(
            f'    "{entry["path"]}" create => "true", perms => owned("root", "root", "0644"),'
            f"\n      content => {quoted(entry['content'])};"
        )
    variables = []
    for path in dict.fromkeys(edit["path"] for edit in EDITS):
        name = Path(path).stem
        chosen = [edit for edit in EDITS if edit["path"] == path]
        variables.append(f'    "{name}_keys" slist => {{ {", ".join(quoted(edit["key"]) for edit in chosen)} }};')
        for edit in chosen:
            variables.append(f'    "{name}[{edit["key"]}]" string => {quoted(edit["line"].partition(" = ")[2])};')
        files.append(
            f'    "{path}" edit_line => settings("bench.{name}", @(bench.{name}_keys)), edit_defaults => no_backup;'
        )
    users = [
        f'    "{user["name"]}" policy => "present", uid => "{user["uid"]}", home_dir => "{user["home"]}", shell => "{SHELL}";'
        for user in USERS
    ]
    commands = [
        f'    {quoted(one["command"])} contain => in_shell, if => not(fileexists("{one["creates"]}"));' for one in CREATES
    ] + [
        f"    {quoted(one['command'])} contain => in_shell,"
        f" if => not(returnszero({quoted('/bin/' + one['unless'] + ' 2>/dev/null')}, \"useshell\"));"
        for one in UNLESS
    ]
    parts = (HERE / "peers/policy.cf").read_text()
    for name, lines in {"variables": variables, "files": files, "users": users, "commands": commands}.items():
        parts = parts.replace(f"    # {name}\n", "\n".join(lines) + "\n")
    return parts


def values():
    return {
        "directories": DIRECTORIES,
        "sites": SITES,
        "users": USERS,
        "shell": SHELL,
        "cron": CRON,
        "edits": EDITS,
        "creates": CREATES,
        "unless": UNLESS,
    }


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(HERE / "files", folder / "files", dirs_exist_ok=True)
    for name in ("playbook.yml", "deploy.py"):
        shutil.copy(HERE / "peers" / name, folder)
    (folder / "bench.yaml").write_text(recipe())
    (folder / "policy.cf").write_text(policy())
    (folder / "policy.cf").chmod(0o600)
    (folder / "values.json").write_text(json.dumps(values(), indent=1))


if __name__ == "__main__":
    write(Path(sys.argv[1]))

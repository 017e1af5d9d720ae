"""The workload for pyinfra."""

import json
from io import StringIO
from pathlib import Path

from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.operations import files, server

HERE = Path(__file__).parent
values = json.loads((HERE / "values.json").read_text())

for name in values["directories"]:
    files.directory(path=f"/srv/bench/app/{name}", user="www-data", group="www-data", mode="750")

for site in values["sites"]:
    files.template(
        src=str(HERE / "files/site.conf"),
        dest=f"/srv/bench/app/{site}.conf",
        user="www-data",
        group="www-data",
        mode="640",
        item=site,
    )

for user in values["users"]:
    server.user(
        user=user["name"],
        uid=user["uid"],
        home=user["home"],
        shell=values["shell"],
        system=True,
        create_home=False,
        ensure_home=False,
    )

for entry in values["cron"]:
    files.put(src=StringIO(entry["content"]), dest=entry["path"], user="root", group="root", mode="644")

for edit in values["edits"]:
    files.line(path=edit["path"], line=edit["match"], replace=edit["line"])

for one in values["creates"]:
    if not host.get_fact(File, one["creates"]):
        server.shell(commands=[one["command"]])

# There is no `unless`: the shell decides.
for one in values["unless"]:
    server.shell(commands=[f"{one['unless']} 2>/dev/null || {one['command']}"])

"""Judges recipes by the JSON Schema: every good one passes, and of the bad ones it finds what a schema can find.

    schema.py SCHEMA GOOD... -- BAD...
"""

import json
import re
import sys

import jsonschema
import yaml


class Yaml12(yaml.SafeLoader):
    """YAML 1.2 knows no booleans but true and false; `on` is a key of recipes."""


Yaml12.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def mistakes(validator, path):
    with open(path, encoding="utf-8") as file:
        recipe = yaml.load(file, Loader=Yaml12)
    return [f"{path}: {list(one.path)}: {one.message}" for one in validator.iter_errors(recipe)]


def main():
    schema, *paths = sys.argv[1:]
    with open(schema, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    middle = paths.index("--")
    found = [text for path in paths[:middle] for text in mistakes(validator, path)]
    caught = 0
    for path in paths[middle + 1 :]:
        try:
            caught += bool(mistakes(validator, path))
        except yaml.YAMLError:
            pass  # The recipe is bad in that it is no YAML, and no schema can say that.
    print(f"{middle} good, {caught} of {len(paths) - middle - 1} bad ones found")
    sys.exit("\n".join(found) or 0)


main()

"""Reads the dashboard and the monitors with the models of Datadog's official client, strictly.

The arguments are files. Prints one line for each problem, and for each file a line "ok FILE".
"""

import json
import sys

from datadog_api_client import Configuration
from datadog_api_client.model_utils import ModelComposed, UnparsedObject, model_to_dict, validate_and_convert_types
from datadog_api_client.v1.model.dashboard import Dashboard
from datadog_api_client.v1.model.monitor import Monitor


def unparsed(value, path, found):
    """Values that the models do not know: unknown variants, and keys outside a model."""
    if isinstance(value, UnparsedObject) or getattr(value, "_unparsed", False) is True:
        found.append((path, "no variant of the model fits"))
    elif isinstance(value, ModelComposed):
        unparsed(value.get_oneof_instance(), path, found)
    elif hasattr(value, "_data_store"):
        known = set(value.attribute_map)
        for key, inner in value._data_store.items():
            if known and key not in known:
                found.append((f"{path}.{key}", "an unknown key"))
            unparsed(inner, f"{path}.{key}", found)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            unparsed(inner, f"{path}[{index}]", found)
    elif isinstance(value, dict):
        for key, inner in value.items():
            unparsed(inner, f"{path}.{key}", found)


configuration = Configuration()
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        document = json.load(file)
    model = Monitor if "/monitors/" in name else Dashboard
    try:
        parsed = validate_and_convert_types(
            document, (model,), ["document"], True, True, configuration=configuration
        )
    except Exception as error:  # The models raise several types.
        print(f"{name}: {error}")
        continue
    problems = []
    unparsed(parsed, "document", problems)
    for path, problem in problems:
        print(f"{name}: {path}: {problem}")
    if model_to_dict(parsed) != document:
        print(f"{name}: the model writes another document")
    if not problems:
        print(f"ok {name}")

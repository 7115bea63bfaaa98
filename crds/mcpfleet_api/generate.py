"""`make crds`: writes everything that follows from the types."""

import json
import sys
from pathlib import Path
from typing import Final

import yaml

from mcpfleet_api.base import GROUP
from mcpfleet_api.crd import KINDS, Schema, crd, editor_schema
from mcpfleet_api.reference import reference

CHECKOUT: Final = Path(__file__).parents[2]

_HEADER: Final = "# Generated from crds/mcpfleet_api by `make crds`; edit the types instead.\n"


def render() -> dict[str, str]:
    """Every generated file: its path in the checkout, and its text."""
    files = {f"crds/{GROUP}_{kind.plural}.yaml": _HEADER + _yaml(crd(kind)) for kind in KINDS}
    files["crds/mcpfleet.schema.json"] = json.dumps(editor_schema(), indent=1) + "\n"
    files |= {f"docs/reference/{kind.name.lower()}.md": reference(kind) for kind in KINDS}
    return files


def _yaml(manifest: Schema) -> str:
    # Through JSON, so that no two places share an object: the dumper would write anchors and aliases.
    return yaml.safe_dump(json.loads(json.dumps(manifest)), sort_keys=False, width=110)


def main() -> int:
    """Write the files whose text is another, and name them."""
    for path, text in render().items():
        file = CHECKOUT / path
        if not file.exists() or file.read_text() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            print(path)  # noqa: T201 - what it did, for the person who ran it
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Prints Pipfile.lock as requirements with hashes, for `pip install --require-hashes --no-deps`.

`python scripts/requirements.py [NAME ...]`: all packages, or only the named ones. pip then installs exactly the locked
files, as `pipenv sync --dev` would, in half the time and without pipenv in the environment.
"""

import json
import sys
from pathlib import Path


def main(names: list[str]) -> None:
    """Print the requirement lines of the named packages. Default: all."""
    lock = json.loads((Path(__file__).parent.parent / "Pipfile.lock").read_text(encoding="utf-8"))
    packages = {**lock["develop"], **lock["default"]}
    for name in names or sorted(packages):
        entry = packages[name]
        extras = f"[{','.join(entry['extras'])}]" if "extras" in entry else ""
        markers = f" ; {entry['markers']}" if "markers" in entry else ""
        hashes = "".join(f" --hash={digest}" for digest in entry["hashes"])
        print(f"{name}{extras}{entry['version']}{markers}{hashes}")


if __name__ == "__main__":
    main(sys.argv[1:])

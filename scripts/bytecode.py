"""Imports what synthesis and the commands import, so that Python writes its bytecode: `python -m scripts.bytecode`.

Packages are installed without bytecode, because most of their modules are never used. Python writes the bytecode of a
module when it first imports it, but not where PYTHONDONTWRITEBYTECODE is set, as in many container images: there every
run would compile all modules again. So `make setup` runs this once. It also makes the copy of the AWS bindings.
"""

from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages

import bindings

PROGRAMS = ("bindings", "estate", "lambda_src.handoff", "lambda_src.rollout", "ops", "stacks")


def main() -> None:
    """Import all modules of the programs, and what these import only while they run."""
    bindings.start()
    for program in PROGRAMS:
        with suppress(Exception):  # setup goes on: an error in a program is shown to whoever runs it
            for module in walk_packages(import_module(program).__path__, f"{program}."):
                import_module(module.name)
    import_module("tzdata")
    import_module("boto3").client("ssm", region_name="us-east-1")


if __name__ == "__main__":
    main()

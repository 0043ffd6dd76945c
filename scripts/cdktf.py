"""`make plan`, `make deploy` and `make destroy`: `python -m scripts.cdktf CDKTF ACTION STACK... -- OPTION...`."""

import sys

import entry


def main() -> int:
    """Check what can be checked before cdktf runs, and run it; gives the exit status."""
    from ops import make

    return make.main(sys.argv[1:])


if __name__ == "__main__":
    entry.run(".venv/bin/python -m scripts.cdktf", main)

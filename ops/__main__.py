"""`goldsmith`, or `python -m ops`. `command_line` is imported late, so that Ctrl-C ends the program during its imports
too."""

from typing import NoReturn

import entry


def main() -> int:
    """Run the command of the command line; the exit status."""
    from ops import command_line

    return command_line.main()


def run() -> NoReturn:
    """Run the command, and end with its exit status."""
    entry.run("goldsmith", main)


if __name__ == "__main__":
    run()

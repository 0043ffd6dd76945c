"""`python -m ops`: the command line is in `command_line`, which is imported where Ctrl-C is known to end it."""

import entry


def main() -> int:
    """Run the command that the command line names; the exit status."""
    from ops import command_line

    return command_line.main()


if __name__ == "__main__":
    entry.run("-m ops", main)

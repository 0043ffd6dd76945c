"""`python -m ops`. `command_line` is imported late, so that Ctrl-C ends the program during its imports too."""

import entry


def main() -> int:
    """Run the command of the command line; the exit status."""
    from ops import command_line

    return command_line.main()


if __name__ == "__main__":
    entry.run("-m ops", main)

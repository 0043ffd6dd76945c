"""What stops a command. Each error is printed as it is, and knows the exit status of the program."""

import entry


class OpsError(Exception):
    """AWS refused something, a build failed, or something is missing. The message says what to do."""

    exit_status = 1


class UsageError(OpsError):
    """The configuration or the command line has an error."""

    exit_status = 2


class Interrupted(OpsError):
    """Ctrl-C, when there is more to say than that the command has ended."""

    exit_status = entry.INTERRUPTED

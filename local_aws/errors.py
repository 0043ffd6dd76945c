"""Refusals in the form of AWS's APIs."""


class AwsError(Exception):
    """A request that is refused; `code` is the exception's name in the service's API."""

    def __init__(self, *, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

"""Image Builder's refusals of values.

If AWS's documentation names no exception, it is ResourceNotFoundException here for a referenced resource that does not
exist, and InvalidParameterValueException for any other bad value.
"""

from local_aws.errors import AwsError


def invalid(parameter: str, reason: str) -> AwsError:
    """The refusal of a bad value."""
    return AwsError(
        code="InvalidParameterValueException",
        message=f"The value supplied for parameter '{parameter}' is not valid. {reason}",
    )


def missing(arn: str) -> AwsError:
    """The refusal of a reference to a resource that does not exist."""
    return AwsError(code="ResourceNotFoundException", message=f"The resource '{arn}' does not exist.")

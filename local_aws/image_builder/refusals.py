"""What Image Builder says when it refuses a value.

Where AWS's documentation names no exception, ResourceNotFoundException stands for a referenced resource that is not
there and InvalidParameterValueException for any other bad value.
"""

from local_aws.errors import AwsError


def invalid(parameter: str, reason: str) -> AwsError:
    """A value that cannot be."""
    return AwsError(
        code="InvalidParameterValueException",
        message=f"The value supplied for parameter '{parameter}' is not valid. {reason}",
    )


def missing(arn: str) -> AwsError:
    """Something that is referred to and not there."""
    return AwsError(code="ResourceNotFoundException", message=f"The resource '{arn}' does not exist.")

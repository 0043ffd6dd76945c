"""The AWS bindings of CDK for Terraform, loaded as far as they are used: `fast` loads, `slim` makes the copy."""

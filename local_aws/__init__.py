"""An AWS on this machine, for the demo and the tests.

`python -m local_aws` serves it on one loopback port. ministack emulates most services; `ministack/` corrects and
completes its answers, and `image_builder/` is a small EC2 Image Builder, because no emulator has one. Nothing here
imports `estate`, `stacks` or the function of the hand-off, so a mistake in them cannot be repeated here.

Accounts are separate. Trust policies of roles and policies of keys are checked (`policies`). Policies of users and
roles, and of other resources, are not; CONTRIBUTING.md has a list.
"""

"""An AWS on this machine, for the demo and the tests.

`python -m local_aws` serves it on one loopback port. ministack emulates most services; `ministack/` corrects and
completes its answers, and `image_builder/` is a small EC2 Image Builder, because no emulator has one. Nothing here
imports `estate`, `stacks` or the function of the hand-off, so a mistake in them cannot be repeated here.

Accounts are separate. Policies of resources decide about requests from other accounts (`policies`); policies of users
and roles are not checked.
"""

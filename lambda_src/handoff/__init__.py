"""The hand-off: moves an image's `latest` channel to the newest good build, in every region.

`handler` reads the event and writes the one log line; `configuration` is what the stack gives it; `reconciler` holds
the rules, over `builds` (what Image Builder made), `outputs` (what of it can be used in a region: AMIs, or container
images), `channels` (what Parameter Store says) and `tags` (what lifecycle policies go by). `answers` is the edge to
AWS, and `failures` says what another run may not meet again. Commands that a person runs use the same modules. Only
boto3 is needed, which the Lambda runtime has.
"""

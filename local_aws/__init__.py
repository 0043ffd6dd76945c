"""An AWS on this machine, for the demo and the tests.

ministack answers for everything it has; in front of it stands a small EC2 Image Builder, because no
emulator has one. Both are served on one loopback port: `python -m local_aws`. Nothing here imports the
rest of the project, so that a mistake there cannot hide here.
"""

"""A small EC2 Image Builder, because no emulator has one."""

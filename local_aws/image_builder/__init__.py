"""The EC2 Image Builder that no emulator has."""

"""The parts of a stack that only container images have."""

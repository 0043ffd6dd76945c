"""The parts of a stack that only AMIs have."""

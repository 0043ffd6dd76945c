"""The parts of an image pipeline's stack."""

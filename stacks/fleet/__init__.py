"""The parts of a fleet's stack."""

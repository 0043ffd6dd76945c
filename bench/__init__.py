"""What synthesis costs, measured: `make bench`."""

"""What can be chosen: operating systems and instance types, as data."""

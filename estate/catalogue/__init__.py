"""What there is to choose from: operating systems and instance types, as data."""

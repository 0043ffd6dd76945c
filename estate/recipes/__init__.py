"""Images -> what their stacks build from, as plain values with versions that follow from their content."""

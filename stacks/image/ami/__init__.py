"""Images that are AMIs: what their stacks have that those of container images lack."""

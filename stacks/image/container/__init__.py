"""Container images: what their stacks have that those of AMIs lack."""

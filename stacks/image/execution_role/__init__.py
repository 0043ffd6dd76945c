"""The role under which Image Builder runs the workflows of an image: what it may do."""

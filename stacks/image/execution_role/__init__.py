"""The permissions of the role with which Image Builder runs the workflows of an image."""

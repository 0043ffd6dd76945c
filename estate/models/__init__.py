"""What can be written in a configuration: frozen models, one file a key."""

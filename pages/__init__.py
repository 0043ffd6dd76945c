"""The programs and inputs that write the generated pages of docs/: `python -m pages`."""

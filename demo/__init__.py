"""`make demo`: the story that Goldsmith is for, against the local AWS."""

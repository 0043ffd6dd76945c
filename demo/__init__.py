"""`make demo`: what Goldsmith is for, shown step by step against the local AWS."""

"""Workflow documents of Image Builder: text -> checked document."""

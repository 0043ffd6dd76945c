"""Corrects and completes ministack's answers, where a plan or a test would notice the difference from AWS."""

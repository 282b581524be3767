"""Hands: run users' tasks and report. They do not know the store."""

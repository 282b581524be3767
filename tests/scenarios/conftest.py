"""Scenarios share one idle operator; pytest puts this folder on the path."""

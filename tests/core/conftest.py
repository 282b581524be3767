"""Tests of the core share a bench; pytest puts this folder on the path."""

"""Tests of the model share a kit; pytest puts this folder on the path."""

"""A soak: real processes, harm done to them for minutes, and a judge who looks from outside.

Run as `python -m tests.soak`.
"""

"""Benchmarks: one JSON line each, with the answer checked and the machine's limits beside it."""

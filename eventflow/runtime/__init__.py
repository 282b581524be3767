"""Heart: read, judge, decide, commit, wake. Has no rule of its own."""

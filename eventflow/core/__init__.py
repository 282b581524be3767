"""Mind: decides, from state, event, verdicts and now. No I/O, no clock, no chance."""

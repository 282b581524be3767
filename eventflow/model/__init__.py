"""Words: what can be said about events, rules, workflows and statuses. Does nothing."""

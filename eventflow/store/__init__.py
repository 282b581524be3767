"""Memory: keeps the log, the state and the outbox. Decides nothing."""

"""Methods that turn rows into vectors."""

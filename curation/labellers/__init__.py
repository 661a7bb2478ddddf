"""Methods that give each row one category."""

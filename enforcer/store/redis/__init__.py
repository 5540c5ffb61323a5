"""The store that any number of processes share."""

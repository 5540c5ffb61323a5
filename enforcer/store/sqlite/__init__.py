"""The store of one process, in a file."""

"""What is judged of a signal: its signature, by keys that its issuer publishes, and what it says."""

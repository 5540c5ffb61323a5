"""What an operator has set: reading it, judging it, advising on it."""

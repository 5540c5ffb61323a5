"""Where sessions are kept: the contract (`base`), its implementations, and which of them a URL means (`by_url`)."""

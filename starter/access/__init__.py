"""Who may call: credentials, tokens, signatures, addresses, rates."""

"""Who asks: passwords, tokens, and the way from the one to the other."""

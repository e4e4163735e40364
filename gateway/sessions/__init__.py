"""Who is logged in: tokens, sessions, and where they are kept."""

"""Health and administration, on a listener of their own."""

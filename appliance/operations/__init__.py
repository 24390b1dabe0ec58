"""What keeps the box well. Knows nothing of what patients ask."""

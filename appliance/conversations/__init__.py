"""What was said, by whom, and whether it was said to the end. Knows nothing of how an answer is found."""

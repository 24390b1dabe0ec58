"""HTTP that is not conversation: the front door, the pages, documents, administration, health. Knows no channel."""

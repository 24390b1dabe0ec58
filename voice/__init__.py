"""Telephone, ears and mouth: a leaf. Knows nothing of patients or of language models."""

"""How good the product is, measured on question sets through its own path. Knows the parts, never a patient's conversation."""

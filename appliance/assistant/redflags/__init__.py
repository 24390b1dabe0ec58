"""The red flags: one rule file a language, and what reads them. Knows no model, no store and no channel."""

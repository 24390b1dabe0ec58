"""The one path of a patient's message. Knows no channel."""

"""Patients who call: one call from ring to end, whom it is handed to, what is kept of it. Knows no SIP and no engine of speech."""

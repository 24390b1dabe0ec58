"""Patients who write by SMS, through Twilio: kept before it is acknowledged, kept before it is sent."""

"""Who is speaking to the appliance. Knows nothing of what is asked."""

"""What a person types: each command calls the parts and prints. Decides nothing itself.

What costs time to import is imported inside the command that needs it: `medinovai --help` answers at once.
"""

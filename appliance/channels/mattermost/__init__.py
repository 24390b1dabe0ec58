"""Staff in Mattermost: a case is a private channel or a thread, and what is written there goes to the patient."""

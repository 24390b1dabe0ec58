"""3CX's own interfaces, for an Enterprise licence: calls by a route point, its log of calls, its recordings. Knows no patient."""

"""How words come in and go out. Channels are strangers to each other and know no model."""

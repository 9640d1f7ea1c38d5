"""How Ditto is said: topics, headers, envelopes, entity tags and their codec."""

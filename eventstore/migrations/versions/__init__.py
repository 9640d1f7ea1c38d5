"""Numbered revisions on the branch ``eventstore``, one file each."""

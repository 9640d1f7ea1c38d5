"""Numbered revisions on the branch ``projections``, one file each."""

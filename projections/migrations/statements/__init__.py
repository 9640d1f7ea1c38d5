"""What the revisions run, one statement per file; never edited once released."""

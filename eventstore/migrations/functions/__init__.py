"""Functions and triggers of the log, one file per version of each: a released file is never edited."""

"""What Twinlog costs over the bare libraries: each path beside its floor in the same run (``make bench``)."""

"""What Twinlog costs over the bare libraries: each path is measured beside its floor in the same run (``make bench``)."""

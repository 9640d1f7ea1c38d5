"""Who may: the permission tree that commands, reads, events and search all ask."""

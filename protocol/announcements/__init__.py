"""Policy announcements: which subjects are watched, what happens to them next, and how it is told and recorded."""

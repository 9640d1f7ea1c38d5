-- Lists what is due in its order.
CREATE INDEX deadlines_next_idx ON deadlines (next_at, stream, watch_id) WHERE next_at IS NOT NULL

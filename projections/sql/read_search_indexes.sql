-- The namespaces whose index is not everything, or not yet.
SELECT namespace, position, fields, usable, reached, done, total FROM search_indexes

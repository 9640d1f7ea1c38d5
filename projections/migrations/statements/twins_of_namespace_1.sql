-- Entities of a namespace, in order.
CREATE INDEX twins_of_namespace ON twins (namespace, stream)

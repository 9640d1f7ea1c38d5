-- Entities of a namespace, in order.
CREATE INDEX entity_revisions_of_namespace ON entity_revisions (namespace, stream)

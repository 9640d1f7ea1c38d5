-- The guard holds also in sessions that have put triggers off (session_replication_role).
alter table events enable always trigger events_immutable

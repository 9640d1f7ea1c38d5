-- Lets the planner know what is in a shadow copy. $1 schema, $2 tables.
SELECT analyze_shadow($1, $2)

-- Switch synchronous commit on for this session if the server, the database or the role has it off.
-- Settings that are stronger than "on" stay. No parameters. Returns a row if something was changed.
select set_config('synchronous_commit', 'on', false)
where current_setting('synchronous_commit') = 'off'

-- Whether every thing has a value at a path. $1 path.
SELECT coalesce(
    (SELECT s.things FROM search_paths AS s WHERE s.path = $1)
        = (SELECT s.things FROM search_paths AS s WHERE s.path = ''),
    false)

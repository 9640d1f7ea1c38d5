-- The number that a key stands for, from what follows its class: as it was written, and whole ones to the last digit.
-- The bits of the double become the hexadecimal notation of C, which PostgreSQL reads; see projections.search.keys.
CREATE FUNCTION search_number(written text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    parts text := translate(written, '-/', '..');
    digits text := rpad(split_part(parts, '.', 1), 16, '0');
    rest text := split_part(parts, '.', 2);
    positive boolean := digits >= '8' COLLATE "C";
    exponent integer;
    size double precision;
    number numeric;
BEGIN
    IF NOT positive THEN
        digits := translate(digits, '0123456789abcdef', 'fedcba9876543210');
    END IF;
    exponent := ('x' || substr(digits, 1, 3))::bit(12)::integer - 2048;
    size := (CASE exponent WHEN 0 THEN '0x0.' ELSE '0x1.' END || substr(digits, 4) || 'p'
        || (greatest(exponent, 1) - 1023)::text)::double precision;
    -- A double of more than 53 bits is whole, and is printed with fewer digits than it has.
    IF exponent BETWEEN 1076 AND 1085 THEN
        number := size::bigint;
    ELSIF size = 9223372036854775808.0 THEN
        number := 9223372036854775808;
    ELSE
        number := size::text::numeric;
    END IF;
    IF NOT positive THEN
        number := -number;
    END IF;
    IF rest <> '' THEN
        number := number + ('x' || rest)::bit(16)::integer - 32768;
    END IF;
    RETURN number;
END
$$

-- Its successor has one parameter more.
DROP FUNCTION create_shadow(text, text[])

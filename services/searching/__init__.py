"""Search as every edge asks it: options and cursors read, the read model waited for, hits shown to who may see them."""

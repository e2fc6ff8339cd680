-- What objects are found by. It is filled behind admission, from the first copy on.
CREATE VIRTUAL TABLE search USING fts5 (
    name, text, pattern, keys,
    content = '', columnsize = 0, tokenize = "ascii tokenchars '='"
);

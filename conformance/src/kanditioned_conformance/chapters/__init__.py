"""One module per chapter of the spec; each class quotes the sentence that it checks."""

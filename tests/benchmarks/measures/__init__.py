"""One module a question; each has a function that yields rows of the table."""

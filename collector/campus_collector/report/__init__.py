"""The monthly report: `gather` reads the month, `figures` is all its numbers, `sentences` and `compose` make a document of them, a module per
form writes it (`html`, `pdf`, `xlsx`, `docx`), `book` closes months and keeps what was issued."""

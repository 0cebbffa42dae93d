"""A report in its four forms: HTML, PDF, XLSX, DOCX."""

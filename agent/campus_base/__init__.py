"""What both programs need and what does not travel between them: settings reader, logs, languages, text and dates, files, the terminal."""

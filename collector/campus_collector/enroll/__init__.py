"""How a gateway becomes a school's agent: a one-time code (`codes`), shown once at the bureau, is exchanged for a token (`routes`)."""

"""The classroom's test page: any browser in the classroom, nothing to install; the gateway measures that browser's line."""

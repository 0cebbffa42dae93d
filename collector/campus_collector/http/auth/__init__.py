"""Who a request comes from, and what that person or agent may read and change.

`middleware` decides who may read what (`AuthMiddleware._read_scope`), once for each request; `scope` is its answer, and says which person
may change what. `agents` knows the school of an agent's token, `authenticator` the person of a session or token; `passwords`, `sessions`,
`oidc` and `rate_limit` serve it.
"""

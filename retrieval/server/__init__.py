"""The search page and the HTTP API that a lab can leave running (extra `retrieval[server]`; docs/server.md)."""

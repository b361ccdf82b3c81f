"""`unit` mirrors the packages, `http` is by feature against a running server, `attacks` as docs/security.md lists."""

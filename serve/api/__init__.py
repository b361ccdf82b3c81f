"""HTTP: the only place, with `serve.app`, that knows FastAPI and Starlette."""

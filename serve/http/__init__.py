"""The HTTP server: uvicorn's protocol with limits, connection timeouts, listening, and its processes."""

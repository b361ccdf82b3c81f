"""What joins the services; `root.py` is where to begin."""

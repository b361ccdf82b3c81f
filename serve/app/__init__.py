"""What joins the parts; `root.py` is where to begin."""

"""The native dialect: `{"instances": ...}` in, columns of predictions out."""

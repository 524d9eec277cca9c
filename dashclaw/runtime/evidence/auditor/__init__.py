"""What goes into every bundle for an auditor as it is: the script that checks it, and its guide."""

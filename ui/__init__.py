"""`tuneproof ui`: a page in the browser, for this machine alone."""

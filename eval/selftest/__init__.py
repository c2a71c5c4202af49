"""`score selftest`: the statistics held against simulation."""

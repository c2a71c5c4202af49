"""One module per metric family; every metric scores one answer at a time."""

"""The ground floor: errors, files and command options, used by every room."""

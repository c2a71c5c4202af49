"""Checks of a data folder, made by `prepdata build` and `inspect`, `tune run` and `tune doctor`."""

"""The command line: parse, call one function of the library, print, exit with a status."""

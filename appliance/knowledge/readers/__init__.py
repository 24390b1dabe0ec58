"""One module a file format; each makes blocks of a file's bytes. They run in the child process and know only their format."""

"""The parent process: keeps the listening sockets, the workers and the admin listener."""

"""The guard on time: mailboxes, the compiled loop, its process, and the black box."""

"""What the program does: no HTTP, no SDK, plain synchronous Python."""

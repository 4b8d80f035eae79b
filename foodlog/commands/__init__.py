"""The subcommands of ``foodlog``, one module each."""

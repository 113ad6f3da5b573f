"""One module per command of `zoo`, each with `run(arguments, overrides) -> exit code`."""

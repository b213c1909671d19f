"""The local servers: what `make up` installs, configures, starts, watches and stops."""

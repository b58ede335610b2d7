"""The only place that knows everyone: settings, registry, jobs, web, command line."""

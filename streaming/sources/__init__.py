"""One module for each place that lines come from: the demo generator, replayed files, and X."""

"""How fast TaskOps is, as ratios measured in one run (`make bench`). Never a test: machines differ."""

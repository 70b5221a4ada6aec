"""Golden tests: what every surface answered, as files in ``recorded``; ``make golden`` records anew.

``world`` furnishes one database and stops the clock; ``*_cases`` say what is asked; ``compare`` leaves out what no two
runs have in common. A route, a command or a page that nobody asks fails a test of its own.
"""

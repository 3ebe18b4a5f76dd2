"""From the lake's graph to organisms, patterns, versions and evidence; the simulation itself is in tick/."""

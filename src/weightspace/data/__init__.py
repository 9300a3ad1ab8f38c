"""Where the objects come from: sources, image sets, splits and coordinates."""

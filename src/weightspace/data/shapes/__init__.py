"""3D shapes: meshes, sets of labelled meshes, and points with their distances."""

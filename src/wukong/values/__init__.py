"""Values as they travel: pickled without copies, signed, and marked with where they are."""

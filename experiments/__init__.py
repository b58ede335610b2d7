"""Pure comparison of a few rooms: frames in, frozen results out."""

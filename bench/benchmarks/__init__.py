"""The benchmarks, one module each: `NAMES` are its figures, `take()` finds them out."""

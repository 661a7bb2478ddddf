"""Selectors against the loops and libraries that people use, as ratios in one run, with peak memory.

    python benchmarks/selectors.py                          # real rows of ../shared/data, encoded once (minutes)
    python benchmarks/selectors.py --vectors vectors.npy    # the same, kept in a file and read from it the next time
    python benchmarks/selectors.py --only k-center,log-det --write
    python benchmarks/selectors.py --only million --folder /somewhere/with/2GB

faiss and apricot come with `pip install -e '.[bench]'`. `--write` puts the table into docs/measurements.md.
"""

import sys
from pathlib import Path

if __name__ == "selectors":
    # Another script of this folder wants the standard library's `selectors` and found this file first on its path.
    import importlib.util
    import sysconfig

    _path = Path(sysconfig.get_path("stdlib")) / "selectors.py"
    _spec = importlib.util.spec_from_file_location("selectors", _path)
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules[__name__] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[__name__])
else:
    _here = str(Path(__file__).resolve().parent)
    sys.path[:] = [*(p for p in sys.path if p != _here), _here]  # for the same reason this folder comes last here
    from _selectors import main

    if __name__ == "__main__":
        main()

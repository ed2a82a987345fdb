"""The main job: Kolmogorov-Arnold networks on real data, beside other models.

`python -m kanditioned.demo` runs it. `tasks` are the data sets and models, `comparison` the
cross-validation and its table, `pictures` what has been learned, `recipe` a network step by step.
"""

from __future__ import annotations

from kanditioned_spec import validate

for _module in ("matplotlib", "pandas", "sklearn", "tqdm", "vega_datasets"):
    validate.import_optional("kanditioned.demo", _module, "kanditioned[demo]")

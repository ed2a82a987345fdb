"""The main job: Kolmogorov-Arnold networks on real data, beside a linear model and an MLP.

`python -m kanditioned.demo` runs it. `tasks` are the data sets and models, `comparison` the
cross-validation and its table, `pictures` what has been learned, `recipe` a network step by step.
"""

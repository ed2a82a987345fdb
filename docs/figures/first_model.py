"""The functions that the first model of the site has learned."""

from __future__ import annotations

import torch
from style import save

from kanditioned.plot import plot_layer
from kanditioned_torch import KAN


def train() -> tuple[KAN, torch.Tensor]:
    """Train the model of the page "First steps"."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.rand(2000, 4) * 2 - 1
    y = torch.sin(3 * x[:, :1]) * x[:, 1:2] + x[:, 2:3].abs()
    model = KAN([4, 16, 1], num_control_points=16, norm="batch")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(200):
        optimizer.zero_grad()
        error = (model(x) - y).square().mean()
        loss = error + 1e-6 * model.penalty(scaling="continuous")
        loss.backward()
        optimizer.step()
    return model, x


if __name__ == "__main__":
    model, x = train()
    data = model.norms[0](x)
    save(plot_layer(model.layers[0], data=data, max_panels=9, centre=True), "first-model")

"""The network and its training, rating by rating: what the package's shorter way must equal."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, dropout

from rebeca.ncf.model import build_ncf
from rebeca.ncf.training import PLATEAU_FACTOR, PLATEAU_PATIENCE, equal_user_weights
from rebeca.seeds import substream, torch_generator


def logits(model, users, embeddings, population=None):
    """[B] for user indices [B], the embedding of each row [B, emb_dim] and its population logit [B]."""
    shape, weights = model.shape, dict(model.named_parameters())

    def linear(name, x):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    product = weights["user_gmf.weight"][users] * linear("item_gmf", embeddings)
    hidden = torch.cat([weights["user_mlp.weight"][users], linear("item_mlp", embeddings)], dim=1)
    for layer in range(len(shape.mlp_layers)):
        hidden = dropout(linear(f"mlp.{3 * layer}", hidden).clamp(min=0), shape.dropout, model.training)
    logit = linear("fuse", torch.cat([product, hidden], dim=1))[:, 0] + weights["user_bias.weight"][users, 0]
    if shape.linear_item:
        logit = logit + linear("item_bias", embeddings)[:, 0]
    return logit if population is None else logit + weights["gain"] * population


def losses(shape, rows, held, options, seed):
    """Losses by epoch: training and validation."""
    model = build_ncf(shape, substream(seed, "init"))
    decay = options.weight_decay if options.user_weight_decay is None else options.user_weight_decay
    tables = [model.user_gmf.weight, model.user_mlp.weight]
    others = [p for p in model.parameters() if all(p is not table for table in tables)]
    groups = [{"params": tables, "weight_decay": decay}, {"params": others, "weight_decay": options.weight_decay}]
    optimiser = (torch.optim.AdamW if options.decoupled else torch.optim.Adam)(groups, lr=options.lr)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, patience=PLATEAU_PATIENCE, factor=PLATEAU_FACTOR)
    shuffle = torch_generator(substream(seed, "batches"))
    parts = []
    for mask in (~held, held):
        weight = torch.as_tensor(equal_user_weights(rows.user[mask], shape.num_users)).float()
        population = None if rows.population is None else torch.as_tensor(rows.population[rows.item[mask]])
        user, embeddings = torch.as_tensor(rows.user[mask]), torch.as_tensor(rows.table[rows.item[mask]])
        parts.append((user, embeddings, population, torch.as_tensor(rows.liked[mask]).float(), weight))

    def loss(part, chosen):
        user, embeddings, population, label, weight = (None if column is None else column[chosen] for column in part)
        logit = logits(model, user, embeddings, population)
        return binary_cross_entropy_with_logits(logit, label, weight=weight, reduction="sum")

    size = len(parts[0][0])
    batch = min(options.batch or size, size)
    train, validation = [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(substream(seed, "dropout"))
        for _ in range(options.epochs):
            model.train()
            order = torch.arange(size) if batch == size else torch.randperm(size, generator=shuffle)
            total = 0.0
            for chosen in order.split(batch):
                step = loss(parts[0], chosen) * (size / batch)
                optimiser.zero_grad()
                step.backward()
                optimiser.step()
                total += step.item() * (batch / size)
            train.append(total)
            model.eval()
            with torch.no_grad():
                validation.append(loss(parts[1], slice(None)).item())
            plateau.step(validation[-1])
    return train, validation

"""Trains a table of word pieces towards the teacher's vectors of whole texts."""
import sys

import numpy as np

EPOCHS, BATCH, RATE, PULL = 3, 512, 3e-3, 2e-4
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def train(start: np.ndarray, ids: list, targets: np.ndarray) -> np.ndarray:
    """
    Adam on 1 - cosine(sum of a text's rows, its target), with a pull of each touched row back to where it started.
    Seeded: the order of the texts is the same each time.
    """
    random = np.random.default_rng(0)
    targets = targets / np.linalg.norm(targets, axis=1, keepdims=True)
    rotation = procrustes(np.stack([start[x].sum(0) for x in ids]), targets)
    targets = targets @ rotation.T
    table, first = start.copy(), start
    mean, square = np.zeros_like(table), np.zeros_like(table)
    step = 0
    for epoch in range(EPOCHS):
        order, loss = random.permutation(len(ids)), 0.0
        for begin in range(0, len(order), BATCH):
            batch = order[begin:begin + BATCH]
            flat = np.concatenate([ids[i] for i in batch])
            bounds = np.cumsum([0] + [len(ids[i]) for i in batch])[:-1]
            sums = np.add.reduceat(table[flat], bounds)
            length = np.linalg.norm(sums, axis=1, keepdims=True)
            unit, target = sums / length, targets[batch]
            cosine = (unit * target).sum(1, keepdims=True)
            loss += float((1 - cosine).sum())
            gradient = (cosine * unit - target) / length
            rows, place = np.unique(flat, return_inverse=True)
            by_row = np.zeros((len(rows), table.shape[1]), np.float32)
            np.add.at(by_row, place, np.repeat(gradient, np.diff(np.append(bounds, len(flat))), axis=0))
            by_row += PULL * (table[rows] - first[rows])
            step += 1
            mean[rows] = BETA_1 * mean[rows] + (1 - BETA_1) * by_row
            square[rows] = BETA_2 * square[rows] + (1 - BETA_2) * by_row ** 2
            rate = RATE * np.sqrt(1 - BETA_2 ** step) / (1 - BETA_1 ** step)
            table[rows] -= rate * mean[rows] / (np.sqrt(square[rows]) + EPSILON)
        print(f"epoch {epoch + 1}: mean 1 - cosine {loss / len(ids):.4f}", file=sys.stderr)
    return table


def procrustes(sums: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The rotation that brings the texts, as the table has them, nearest to their targets."""
    sums = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    left, _, right = np.linalg.svd((sums.T @ targets).astype(np.float64))
    return (left @ right).astype(np.float32)

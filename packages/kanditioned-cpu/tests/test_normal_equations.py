"""Sums of products of sparse rows, against the design matrix itself."""

import numpy as np
import pytest

import kanditioned_cpu
from kanditioned_cpu import Block, Hats

ROWS = [0, 1, 1023, 1024, 3000]


def hats(rng, rows, size, *, scaled=False):
    index = rng.integers(0, size - 1, rows)
    return Hats(index, rng.uniform(-0.2, 1.2, rows), rng.random(rows) if scaled else None)


def problem(rows, *, outputs=2):
    """Blocks of splines, one with a single place for an entry, and of bilinear functions."""
    rng = np.random.default_rng(rows)
    blocks = [Block(size, (hats(rng, rows, size),)) for size in (2, 7, 3, 33, 5, 9, 4, 12)]
    pair = (hats(rng, rows, 20, scaled=True), hats(rng, rows, 20, scaled=True))
    blocks.insert(3, Block(20, pair))
    return blocks, rng.random(rows), rng.standard_normal((rows, outputs))


def matrix(blocks, rows):
    parts = []
    for block in blocks:
        part = np.zeros((rows, block.size))
        for each in block.hats:
            scale = 1.0 if each.scale is None else each.scale
            np.add.at(part, (np.arange(rows), each.index), scale * (1 - each.fraction))
            np.add.at(part, (np.arange(rows), each.index + 1), scale * each.fraction)
        parts.append(part)
    return np.hstack(parts)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("rows", ROWS)
def test_sums_are_those_of_the_design_matrix(rows):
    blocks, weight, targets = problem(rows)
    x = matrix(blocks, rows)
    products, sums = kanditioned_cpu.gram(blocks, weight, targets)
    eps = rows * np.finfo(float).eps
    size = abs(x).T @ (weight[:, None] * abs(x))
    assert (abs(products - x.T @ (weight[:, None] * x)) <= eps * size).all()
    assert (products == products.T).all()
    bound = eps * (abs(x).T @ (weight[:, None] * abs(targets)))
    assert (abs(sums - x.T @ (weight[:, None] * targets)) <= bound).all()


def test_same_bits_with_any_number_of_threads():
    blocks, weight, targets = problem(20_000)
    one = kanditioned_cpu.gram(blocks, weight, targets, num_threads=1)
    many = kanditioned_cpu.gram(blocks, weight, targets, num_threads=4)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, many, strict=True))


def test_any_strides_and_dtypes():
    blocks, weight, targets = problem(50)
    want = kanditioned_cpu.gram(blocks, weight, targets)
    strided = [
        Block(
            block.size,
            tuple(
                Hats(np.repeat(h.index, 2)[::2].astype(np.int32), h.fraction, h.scale)
                for h in block.hats
            ),
        )
        for block in blocks
    ]
    got = kanditioned_cpu.gram(strided, np.repeat(weight, 3)[::3], np.asfortranarray(targets))
    assert all((a == b).all() for a, b in zip(got, want, strict=True))


def test_no_blocks_and_no_targets():
    products, sums = kanditioned_cpu.gram([], np.ones(3), np.ones((3, 0)))
    assert products.shape == (0, 0)
    assert sums.shape == (0, 0)


class TestRefused:
    @pytest.mark.parametrize("index", [[-1, 0], [0, 2]])
    def test_index_outside_the_block(self, index):
        block = Block(3, (Hats(np.array(index), np.zeros(2)),))
        with pytest.raises(ValueError, match=r"gram\(index=\.\.\.\).*0 \.\.\. 1 in a block of 3"):
            kanditioned_cpu.gram([block], np.ones(2), np.ones((2, 1)))

    @pytest.mark.parametrize(
        ("name", "rows", "block"),
        [
            ("targets", (2, 3), Hats(np.zeros(2, int), np.zeros(2))),
            ("index", (2, 2), Hats(np.zeros(3, int), np.zeros(2))),
            ("fraction", (2, 2), Hats(np.zeros(2, int), np.zeros(3))),
            ("scale", (2, 2), Hats(np.zeros(2, int), np.zeros(2), np.ones(1))),
        ],
    )
    def test_shapes_that_do_not_fit(self, name, rows, block):
        with pytest.raises(ValueError, match=rf"gram\({name}="):
            kanditioned_cpu.gram([Block(3, (block,))], np.ones(rows[0]), np.ones((rows[1], 1)))

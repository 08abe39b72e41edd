"""The miniature's tokenizer: byte pairs in OpenAI's layout, with merges that make every word of a caption one token.

Transformers and open_clip read different files; both are written here and give the same ids.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections import Counter
from functools import cache
from io import BytesIO
from pathlib import Path

from rebeca.tinyworld.scenes import MODELS_SEED, captions, draw_scenes

CONTEXT = 32
"""Tokens of a text, with begin and end."""
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
CORPUS_POSTCARDS = 4000


def vocabulary() -> tuple[str, ...]:
    """All words of captions, sorted."""
    texts = captions(draw_scenes(CORPUS_POSTCARDS, MODELS_SEED, "words"))
    return tuple(sorted({word for text in texts for word in text.split()}))


@cache
def merges() -> tuple[tuple[str, str], ...]:
    """Most frequent pairs first, ties by spelling, until every word is one symbol.

    Source: Sennrich et al. 2016, Neural Machine Translation of Rare Words with Subword Units, arXiv 1508.07909.
    """
    words = [" ".join(word) + WORD_END for word in vocabulary()]
    pairs_in_order = []
    while any(" " in word for word in words):
        counts = Counter(pair for word in words for pair in itertools.pairwise(word.split()))
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        pairs_in_order.append(best)
        pattern = re.compile(rf"(?<!\S){re.escape(' '.join(best))}(?!\S)")
        words = [pattern.sub("".join(best), word) for word in words]
    return tuple(pairs_in_order)


def symbols() -> list[str]:
    """All tokens in the order of their ids: bytes, bytes that end a word, merges, begin, end."""
    from open_clip.tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    joined = ["".join(pair) for pair in merges()]
    return [*letters, *(letter + WORD_END for letter in letters), *joined, BEGIN, END]


def write_tokenizer(folder: Path) -> None:
    """Writes ``vocab.json``, ``merges.txt`` and settings for transformers, and ``bpe.txt.gz`` for open_clip."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = {symbol: index for index, symbol in enumerate(symbols())}
    lines = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges())])  # without a newline at the end
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text(lines, encoding="utf-8")
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": CONTEXT,
        "bos_token": BEGIN,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    packed = BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream:
        stream.write(lines.encode())
    (folder / "bpe.txt.gz").write_bytes(packed.getvalue())

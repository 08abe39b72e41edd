"""The tokenizer of the miniature models."""

from __future__ import annotations

import open_clip

from rebeca.tinyworld.scenes import captions, draw_scenes
from rebeca.tinyworld.words import CONTEXT, merges, symbols, vocabulary, write_tokenizer
from scripts.tinyworld.data import token_ids


def test_every_word_of_a_caption_is_one_token(tmp_path):
    write_tokenizer(tmp_path)
    texts = captions(draw_scenes(300, 77, "others"))
    ids = token_ids(tmp_path, texts)
    assert ids.shape == (300, CONTEXT)
    lengths = (ids != len(symbols()) - 1).sum(dim=1)  # with the begin, without the end
    assert lengths.tolist() == [len(text.split()) + 1 for text in texts]
    theirs = open_clip.tokenizer.SimpleTokenizer(bpe_path=str(tmp_path / "bpe.txt.gz"), context_length=CONTEXT)(
        list(texts)
    )
    for mine, other in zip(ids, theirs, strict=True):
        count = int((other != 0).sum())
        assert mine[:count].tolist() == other[:count].tolist()
    assert len(symbols()) == 512 + len(merges()) + 2
    assert len(vocabulary()) > 40

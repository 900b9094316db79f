# SPDX-License-Identifier: MIT
"""Writes the golden files of this folder with the library tokenizers: small WordPiece tokenizers, and strings with their ids.
Usage: python make_golden.py [FOLDER], with tokenizers 0.23."""
import json
import pathlib
import random
import sys

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = "the un ##believ ##able ##ably quick brown fox ##s run ##ning zürich zurich naive naïve é ##é istanbul i̇stanbul ß ss 北 京 각 ##한 e ##e".split()
OPTIONS = {
    "uncased": {},
    "cased": {"lowercase": False},
    "lower_with_accents": {"strip_accents": False},
    "raw": {"clean_text": False, "handle_chinese_chars": False, "lowercase": False},
}


def vocabulary():
    characters = [chr(c) for c in list(range(33, 127)) + [0xe9, 0xfc, 0xdf, 0x3c3, 0x3c2, 0x431, 0x1100, 0x1161, 0x11a8, 0x5317]]
    tokens = SPECIAL + characters + [f"##{c}" for c in characters if c.isalnum()] + PIECES + ["Quick", "Zürich", "É"]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def tokenizer(options):
    vocab = vocabulary()
    result = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=20))
    result.add_special_tokens(SPECIAL)
    result.normalizer = normalizers.BertNormalizer(**options)
    result.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    around = [(token, vocab[token]) for token in ("[CLS]", "[SEP]")]
    result.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=around)
    return result


def strings():
    draw = random.Random(1)
    words = ["the", "unbelievable", "QUICK", "Quick", "fox's", "running", "Zürich", "Zu\u0308rich", "naïve", "[CLS]", "[MASK]", "[mask]", "北京", "İstanbul",
             "ΣΑΣ", "straße", "각", "한국", "e-mail", "$3.50", "x²", "ﬁ", "Б", "\u0301", "a\u0000b", "\ufffd", "\u00ad", "\u200d", "\u2003", "\u0085", "\t", "\n",
             "a" * 20, "a" * 21, "é" * 20, "\U0001e900", "\U00010d50", "\u07fd", "\u2e52", "\u061d", "\u1734", "\ue000", "\U0002b900", "\U0002b920"]
    texts = ["", " ", *words]
    texts += [draw.choice(["", " ", "  "]).join(draw.choices(words, k=draw.randrange(2, 9))) for _ in range(60)]
    texts += ["".join(chr(draw.choice([draw.randrange(1, 0x500), draw.randrange(0x500, 0xd800)])) for _ in range(8)) for _ in range(40)]
    return texts


if __name__ == "__main__":
    output = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name, options in OPTIONS.items():
        made = tokenizer(options)
        (output / name).mkdir(exist_ok=True)
        made.save(str(output / name / "tokenizer.json"))
        cases = [{"text": text, "ids": made.encode(text).ids} for text in strings()]
        lines = ",\n".join(json.dumps(case) for case in cases)
        (output / f"{name}.json").write_text(f'{{"class": "WordPiece", "tokenizer": "{name}", "strings": [\n{lines}\n]}}\n')
    (output / "vocabulary").mkdir(exist_ok=True)
    made = tokenizer({"lowercase": True, "handle_chinese_chars": False, "strip_accents": False})
    made.model = models.WordPiece(vocabulary(), unk_token="[UNK]", max_input_chars_per_word=100)
    (output / "vocabulary" / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary()))
    (output / "vocabulary" / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizer", "do_lower_case": true, "tokenize_chinese_chars": false, "strip_accents": false}\n')
    lines = ",\n".join(json.dumps({"text": text, "ids": made.encode(text).ids}) for text in strings())
    (output / "vocabulary.json").write_text(f'{{"class": "WordPiece", "tokenizer": "vocabulary", "strings": [\n{lines}\n]}}\n')

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes golden files of byte-level BPE: small tokenizers, and difficult strings with their pieces and ids.

Requires tokenizers 0.23.3. Every case is computed by this package, except that bytes that are not valid UTF-8, which it
cannot encode, are one token each, and the text between them is encoded separately.

    make_golden.py                      writes the files next to this script
    make_golden.py strings COUNT SEED   writes COUNT strings to strings.bin: length (4 bytes, little-endian), then UTF-8
"""
import copy
import json
import pathlib
import random
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent

SPACES = [chr(c) for c in (9, 10, 11, 12, 13, 32, 0x85, 0xA0, 0x1680, 0x2000, 0x2005, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)]
NO_SPACES = [chr(c) for c in (0, 0x1C, 0x1D, 0x1E, 0x1F, 0x7F, 0x180E, 0x200B, 0x200C, 0x200D, 0xFEFF)]
MARKS = [chr(c) for c in (0x300, 0x301, 0x302, 0x483, 0x93E, 0x941, 0x94D, 0x1AB0, 0x20E3, 0xFE0F)]
NUMBERS = list("0123456789") + [chr(c) for c in (0xB2, 0xB9, 0xBD, 0x661, 0x96B, 0x9F8, 0x2167, 0x2460, 0x3007, 0xFF17, 0x1D7D8)]
LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZéüßñøπжיאبहि中国文字가나日本語") + [
    chr(c) for c in (0xAA, 0x1C5, 0x2B0, 0x2C7C, 0x10400, 0x1D400)]
OTHER = list("'!?.,;:-_()[]{}\"#$%&*+/<=>@\\^`|~’“”…—€£🎉👍🏽👨👩😀") + ["\u200d"]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'RE", "'l", "'r", "'v", "’s"]
WORDS = ["the", " the", "hello", " Hello", "king", " lord", "thou", "haven't", "12345", "<|endoftext|>", "<|endof", "text|>",
         "#version", "Ġ", "  ", "<tag>"]
POOLS = [SPACES, NO_SPACES, MARKS, NUMBERS, LETTERS, OTHER, CONTRACTIONS, WORDS]


def random_string(rng):
    text, size, pool = "", rng.choice([0, 1, 2, 3, 5, 8, 13, 30, 80]), rng.choice(POOLS)
    while len(text) < size:
        kind = rng.randrange(6)
        if kind == 0:
            text += rng.choice(rng.choice(POOLS))
        elif kind == 1:
            text += rng.choice(SPACES) * rng.randrange(1, 6)
        elif kind == 2:
            text += rng.choice(" \n\t ") * rng.randrange(1, 9)
        elif kind == 3:
            text += "".join(rng.choice(LETTERS) for _ in range(rng.randrange(1, 9)))
        elif kind == 4:
            code = rng.randrange(rng.choice([0x80, 0x800, 0x10000, 0x110000]))
            text += chr(code if not 0xD800 <= code < 0xE000 else 0xE000)
        else:
            text += rng.choice(pool) + rng.choice(rng.choice(POOLS))
    return text


def training_lines(rng):
    """Random words of random syllables, so that there is something to merge."""
    syllables = [a + b for a in ("", "b", "th", "st", "k", "é", "日", "ж") for b in ("a", "e", "in", "or", "ing", "本")]
    words = ["".join(rng.choice(syllables) for _ in range(rng.randrange(1, 4))) for _ in range(300)]
    words += ["the", "and", "hello", "Hello", "king", "lord", "12", "345", "...", "--", "it's", "haven't", "we'll"]
    return [" ".join(rng.choice(words) for _ in range(rng.randrange(1, 15))) + rng.choice(["\n", ".\n", "\n\n"]) for _ in range(2000)]


def train():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tokenizer.train_from_iterator(training_lines(random.Random(1)), trainer)
    return json.loads(tokenizer.to_str())


def added(number, content, special, normalized=False):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": normalized, "special": special}


def valid_parts(data):
    """Yields valid UTF-8 as str, and every other byte as an int."""
    while data:
        try:
            yield data.decode()
            return
        except UnicodeDecodeError as error:
            if error.start:
                yield data[:error.start].decode()
            yield data[error.start]
            data = data[error.start + 1:]


def case(tokenizer, data):
    ids = []
    pieces = []
    for part in valid_parts(data):
        if isinstance(part, int):
            ids.append(tokenizer.token_to_id(BYTE_TO_CHAR[part]))
            pieces.append("\ufffd")
            continue
        encoding = tokenizer.encode(part, add_special_tokens=False)
        ids += encoding.ids
        pieces += pieces_of(tokenizer, part)
    added_tokens = tokenizer.get_added_tokens_decoder()  # id_to_token would normalize their texts
    tokens = [added_tokens[i].content if i in added_tokens else tokenizer.id_to_token(i) for i in ids]
    return {"utf8_hex": data.hex(), "pieces": pieces, "ids": ids, "tokens": tokens, "decoded_equals_text": True}


def pieces_of(tokenizer, text):
    """The pieces, from the word numbers of the encoding: added tokens have none and are pieces themselves."""
    added_tokens = tokenizer.get_added_tokens_decoder()
    encoding = tokenizer.encode(text, add_special_tokens=False)
    pieces, previous = [], None
    for number, token, word in zip(encoding.ids, encoding.tokens, encoding.word_ids):
        if number in added_tokens:
            pieces.append(added_tokens[number].content.encode())
            previous = None
            continue
        data = bytes(CHAR_TO_BYTE[c] for c in token)
        if word is not None and word == previous:
            pieces[-1] += data
        else:
            pieces.append(data)
        previous = word
    return [piece.decode() for piece in pieces]


PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTE_TO_CHAR = {b: chr(b) for b in PRINTABLE}
BYTE_TO_CHAR.update({b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in PRINTABLE)})
CHAR_TO_BYTE = {c: b for b, c in BYTE_TO_CHAR.items()}

BROKEN = [b"\xff", b"a\xffb", b"\xed\xa0\x80", b"x\xed\xb0\x80 y", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"caf\xc3", b"  \xe2\x82", b"\xe2\x82 \xac",
          b"the \xf0\x9f the\x80\x80", b"\xfe\xfe\xff\xff  the"]


def write(name, document, strings, keep_text=True):
    from tokenizers import Tokenizer
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    tokenizer = Tokenizer.from_str(json.dumps(document))
    cases = [case(tokenizer, data) for data in strings]
    if not keep_text:  # decoding does not restore the text
        for text, item in zip(strings, cases):
            contents = {token["content"] for token in document["added_tokens"]}
            decoded = b"".join(t.encode() if t in contents else bytes(CHAR_TO_BYTE[c] for c in t) for t in item["tokens"])
            item["decoded_equals_text"] = decoded == text
    golden = {"class": "ByteLevelBpe", "tokenizer": name, "strings": cases}
    lines = ",\n".join(json.dumps(item, ensure_ascii=True, separators=(",", ":")) for item in cases)
    head = json.dumps({"class": golden["class"], "tokenizer": name})[:-1]
    (HERE / f"{name}.json").write_text(f'{head}, "strings": [\n{lines}\n]}}\n')
    print(name, len(cases), "strings")


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "strings":
        rng = random.Random(int(sys.argv[3]))
        with open("strings.bin", "wb") as file:
            for _ in range(int(sys.argv[2])):
                data = random_string(rng).encode()
                file.write(struct.pack("<I", len(data)) + data)
        return

    rng = random.Random(2)
    strings = [random_string(rng).encode() for _ in range(240)]
    base = train()
    size = len(base["model"]["vocab"])
    base["added_tokens"] = [added(size, "<|endoftext|>", True)]
    write("gpt2_pattern", base, strings + BROKEN)

    other = copy.deepcopy(base)  # merges as texts, digits, an added token that is not special, a token in the vocabulary as well
    other["model"]["merges"] = [" ".join(merge) for merge in base["model"]["merges"]]
    other["model"]["vocab"]["<|endoftext|>"] = size
    other["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]}
    other["added_tokens"].append(added(size + 1, "<tag>", False, True))
    write("digits", other, strings[:80] + BROKEN)

    other = copy.deepcopy(base)
    other["pre_tokenizer"]["add_prefix_space"] = True
    write("prefix_space", other, strings[80:140], keep_text=False)

    other = copy.deepcopy(base)  # pieces that are tokens are not merged; one such token cannot be built from merges
    other["model"]["ignore_merges"] = True
    del other["model"]["merges"][100:140]
    write("ignore_merges", other, strings[140:200])


    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}

    def split(pattern, kind="Regex"):
        return {"type": "Split", "pattern": {kind: pattern}, "behavior": "Isolated", "invert": False}

    def write_split(name, *steps):
        changed = copy.deepcopy(base)
        changed["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [*steps, byte_level]}
        write(name, changed, strings[:100] + BROKEN[:4])

    contractions = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"  # also matches the long s, U+017F
    strings[:2] = ["It'ſ IT'S we'LL 1234567 a\r\n\r\n  b".encode(), "HelloWorld ÀÉx ʰʰ日本\t\tx/\n\n/".encode()]
    write_split("llama3_pattern", split(contractions + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"))
    upper, lower = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    write_split("gpt4o_pattern", split(
        rf"[^\r\n\p{{L}}\p{{N}}]?{upper}*{lower}+{contractions}?|[^\r\n\p{{L}}\p{{N}}]?{upper}+{lower}*{contractions}?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"))
    write_split("deepseek_patterns", split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(
        r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"))
    write_split("pattern_gaps", split(r"\p{Lu}\p{Ll}{2,}|\d+|\s\S|(?:a|th)?e", "Regex"), split("e'", "String"),
                split(r"\p{L}++\s?+|.\n?|\s(?=\S)|\s"))

    write_normalized(base, strings, byte_level, split)


def write_normalized(base, strings, byte_level, split):
    """Tokenizers that change texts, and added tokens with conditions."""
    size = len(base["model"]["vocab"])
    hard = ["e\u0301 n\u0303o \u212b \u1e9b\u0323 q\u0323\u0307 \u0958 \uac00\u11a8 \u1100\u1161", "ﬁ ２³ ㍿ Ａ\u3000\uf900 \ufb1d \u2126",
            "İI ΑΣ ẞ Ǆ \u0345 \U00010400", "\u32ff \ua7f2 \U0001e030 \U00011935\U00011930 a\u1ac1\u0323\u0301", "\u0344 \u0f77 \u1026 \U0001d15e \u2adc"]
    hard = [text.encode() for text in hard]

    qwen = copy.deepcopy(base)
    qwen["normalizer"] = {"type": "NFC"}
    qwen["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), byte_level]}
    qwen["post_processor"] = byte_level
    write("nfc_pattern", qwen, hard + strings[100:150], keep_text=False)

    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    roberta = copy.deepcopy(base)
    roberta["added_tokens"] = [added(size + i, name, True, name != "<mask>") for i, name in enumerate(names)]
    roberta["added_tokens"][4]["lstrip"] = True
    roberta["post_processor"] = {"type": "RobertaProcessing", "sep": ["</s>", size + 2], "cls": ["<s>", size], "trim_offsets": True,
                                 "add_prefix_space": False}
    masks = [b"the  <mask> king", b"<mask>", b" \n<mask><mask>  <mask>", b"a<s>b </s>\t<mask>", "x\u3000\u2028<mask>\u00a0<mask>.".encode()]
    write("roberta", roberta, masks + strings[150:190], keep_text=False)

    other = copy.deepcopy(base)
    other["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "NFKD"}, {"type": "Lowercase"},
        {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": "``"}, "content": "\""}]},
        {"type": "Prepend", "prepend": "_"}]}
    other["added_tokens"] += [added(size + 1, "<Tag>", False, True), added(size + 2, "KING", False), added(size + 3, "<r>", False)]
    other["added_tokens"][2]["single_word"] = True
    other["added_tokens"][3]["rstrip"] = True
    other["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Whitespace"}, {"type": "Digits", "individual_digits": False}, byte_level | {"add_prefix_space": True}]}
    other["post_processor"] = {"type": "BertProcessing", "sep": ["<|endoftext|>", size], "cls": ["<|endoftext|>", size]}
    words = [b"KING the KING, KINGs xKING _KING KING", b"a<r>  b <r>\n<r>KING<r> <r>", b"<Tag> _<tag>x", b"  ``THE''  ", b"   ", "日KING KING日 \u0301KING".encode()]
    write("normalizers", other, words + hard + strings[190:230], keep_text=False)

    whole = copy.deepcopy(base)  # no pre-tokenizer: a text is one piece
    whole["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "ByteLevel"}]}
    whole["pre_tokenizer"] = None
    whole["added_tokens"].append(added(size + 1, "é <tag>", False, True))
    write("whole_text", whole, ["the é <tag>the <|endoftext|> king e\u0301 <tag>".encode()] + hard + strings[:60], keep_text=False)

    for name, steps in {
            "removed": [{"type": "WhitespaceSplit"}, split("e") | {"behavior": "Removed"}, split("[a-z]+") | {"behavior": "Removed", "invert": True},
                        {"type": "Digits", "individual_digits": True}],
            "merged": [split(r"\s") | {"behavior": "MergedWithNext"}, {"type": "Punctuation", "behavior": "Contiguous"},
                       split("o|n") | {"behavior": "MergedWithPrevious"}, split("th", "String") | {"behavior": "Contiguous", "invert": True},
                       {"type": "Punctuation"}]}.items():
        changed = copy.deepcopy(base)
        changed["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [*steps, byte_level]}
        write(name, changed, [b"soon no-one!! ...the tooth, then", b"  eel 12e3 seen\n\nAe x"] + strings[:50], keep_text=False)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Writes the golden files of this folder with Python's re: a vocabulary of SMILES, and texts with their ids.
Usage: python make_golden.py [FOLDER]"""
import json
import pathlib
import random
import re
import sys

# The expression of Schwaller et al. 2018, as the package rxnmapper 0.4.3 has it.
SYMBOLS = re.compile(r"(\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|\/|:|~|@|\?|>>?|\*|\$|\%[0-9]{2}|[0-9])")
SPECIAL = ["[PAD]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MOLECULES = """CC(=O)O OCC CC(=O)OCC Brc1ccc(C)cc1 OB(O)c1ccccc1 Cc1ccc(-c2ccccc2)cc1 C[C@H](N)C(=O)O F/C=C/F F\\C=C/F [O-][N+](=O)c1ccccc1 [Na+]~[OH-]
C1CCCCC1 C%10CCCCC%10 C12CC1C2 [13CH4] [CH3:1][OH:2] C#N [Si](C)(C)C ClCCl BrCCBr IC c1cc[nH]c1 c1ccoc1 c1ccsc1 P(c1ccccc1)(c1ccccc1)c1ccccc1
[Pd] [2H]C *C S=C=S C$C b1ccccc1 C:C [Cu+2] [C@@H]1(O)CCCN1 n1ccpcc1 C-C C@C C?C C+C""".split()


def strings():
    draw = random.Random(1)
    texts = ["", ">>", *MOLECULES]
    for _ in range(60):
        left, right = ([draw.choice(MOLECULES) for _ in range(draw.randrange(1, 4))] for _ in range(2))
        texts.append(draw.choice([".", "~"]).join(left) + draw.choice([">>", ">>", ">"]) + ".".join(right))
    return texts


if __name__ == "__main__":
    output = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    symbols = [symbol for text in strings() for symbol in SYMBOLS.findall(text)]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(SPECIAL + symbols))}
    (output / "vocabulary").mkdir(exist_ok=True)
    (output / "vocabulary" / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary))
    cases = []
    for text in [*strings(), "[MASK]CC", "C[MASK]>>C"]:
        tokens = ["[CLS]", *SYMBOLS.findall(text), "[SEP]"]
        assert "".join(tokens[1:-1]) == text, text
        cases.append(json.dumps({"text": text, "ids": [vocabulary[token] for token in tokens]}))
    lines = ",\n".join(cases)
    (output / "smiles.json").write_text(f'{{"class": "Smiles", "tokenizer": "vocabulary", "strings": [\n{lines}\n]}}\n')

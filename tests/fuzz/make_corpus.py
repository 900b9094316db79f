#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of the fuzzers: small valid files of every format, corpus/<reader>/valid-*.

Inputs found by a fuzzer are in the same folders under other names and are not changed. Requires only Python.
"""
import gzip
import io
import json
import pathlib
import struct
import zipfile
import zlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def write_seed(reader, name, content):
    folder = CORPUS / reader
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"valid-{name}").write_bytes(content)


def idx():
    images = struct.pack(">IIII", 0x0803, 2, 2, 3) + bytes(range(12))
    write_seed("idx", "images", images)
    write_seed("idx", "images-gz", gzip.compress(images, mtime=0))
    write_seed("idx", "two-members-gz", gzip.compress(images[:7], mtime=0) + gzip.compress(images[7:], mtime=0))
    write_seed("idx", "labels", struct.pack(">II", 0x0801, 3) + b"\7\2\1")
    write_seed("idx", "padded-gz", gzip.compress(images, mtime=0) + bytes(8))
    write_seed("idx", "short", struct.pack(">III2h", 0x0B02, 1, 2, -3, 500))
    write_seed("idx", "double", struct.pack(">IIIIId", 0x0E04, 1, 1, 1, 1, 0.5))


def cifar():
    write_seed("cifar", "record", b"\3" + bytes(3072))


def csv():
    write_seed("csv", "commas", b"1,-2.5,3e2\n0,.25,+6\n")
    write_seed("csv", "labels", b"\xef\xbb\xbf# comment\r\nx;y;Class\r\n1;2;\"C#, \"\"old\"\"\"\r\n\r\n3;4;Ada # x\r\n")
    write_seed("csv", "numbers", b"label\t0\t1\n7\t0\t255\n-3\t1e-400\t2")
    write_seed("csv", "spaces", b"  1  2\n  3  4\n")


def bag_files():
    write_seed("bag_files", "table", b"bag,label,x,y\na,sick,1,2.5\nb,healthy,-3,4\na,sick,5,6\n")
    header = json.dumps({"instances": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]},
                         "offsets": {"dtype": "I64", "shape": [3], "data_offsets": [24, 48]},
                         "labels": {"dtype": "U8", "shape": [2], "data_offsets": [48, 50]}}).encode()
    header += b" " * (-len(header) % 8)
    write_seed("bag_files", "tensors", struct.pack("<Q", len(header)) + header
               + struct.pack("<6f3q2B", 1, 2, 3, 4, 5, 6, 0, 1, 3, 1, 0))


def npy_file(dtype, shape, data, fortran=False, version=1):
    text = f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode("latin1")
    length = struct.pack("<H" if version == 1 else "<I", len(text) + 1)
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + b"\n" + data


def npy():
    def write(name, dtype, shape, data, fortran=False, version=1):
        write_seed("npy", name, npy_file(dtype, shape, data, fortran, version))

    write("bool", "|b1", (2, 2), b"\1\0\0\1")
    write("images", "|u1", (1, 2, 2), b"\0\x33\xff\1")
    write("fortran", "<i2", (2, 2, 2), struct.pack("<8h", *range(8)), fortran=True)
    write("big-endian", ">f4", (1, 3), struct.pack(">3f", 0.5, -1, 2), version=2)
    write("half", "<f2", (3,), struct.pack("<3e", 0.5, -1, 2), version=3)
    write("double", "<f8", (1, 1, 2), struct.pack("<2d", 0.25, 1))
    write("long", ">u8", (2, 1), struct.pack(">2Q", 1, 2**63))
    write("python-2", "int16", "(1L,2L)", struct.pack("<2h", 1, 2))
    write("channels-first", "<f4", (1, 3, 1, 2), struct.pack("<6f", *(i / 8 for i in range(6))))
    write("pixels", "<f8", (1, 1, 2), struct.pack("<2d", 51, 255))


def npz():
    def write(name, arrays, compression):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for array, data in arrays.items():
                information = zipfile.ZipInfo(array + ".npy")
                information.compress_type = compression
                with archive.open(information, "w", force_zip64=True) as file:  # as numpy.savez does
                    file.write(data)
        write_seed("npz", name, content.getvalue())

    numbers = npy_file("|u1", (2, 2), b"\0\x33\xff\1")
    write("stored", {"x": numbers}, zipfile.ZIP_STORED)
    write("deflated", {"x": numbers}, zipfile.ZIP_DEFLATED)
    write("with-texts", {"x": numbers, "names": npy_file("<U1", (1,), b"a\0\0\0")}, zipfile.ZIP_DEFLATED)


def png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def write(name, width, height, depth, colour, rows, more=b"", interlace=0, end=b"", after=b""):
        header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
        write_seed("png", name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more
             + chunk(b"IDAT", zlib.compress(rows)) + end + chunk(b"IEND", b"") + after)

    write("grey", 2, 2, 8, 0, b"\0\0\x33\0\x66\xff")
    write("bits", 3, 1, 1, 0, b"\0\xa0")
    write("deep", 1, 1, 16, 2, b"\0\xff\xff\0\0\0\1")
    write("alpha", 1, 1, 8, 6, b"\0\1\2\3\4")
    write("palette", 2, 1, 1, 3, b"\0\x40", chunk(b"PLTE", b"\x33\x33\x33\0\0\0") + chunk(b"tRNS", b"\xff\0"))
    write("interlaced", 2, 2, 8, 0, b"\0\0\0\x33\0\x66\xff", interlace=1)
    write("text", 1, 1, 8, 0, b"\0\xff", chunk(b"tEXt", b"Comment\0hello"))
    write("surplus-rows", 1, 1, 8, 0, b"\0\xff\0\1")
    write("surplus-chunk", 1, 1, 8, 0, b"\0\xff", end=chunk(b"IDAT", b"more"), after=b"more")


def netpbm():
    for name, content in {"bitmap": b"P1 3 2 1 0 1\n#\n011", "grey": b"P2\n# text\n2 1 255\n0 255\n",
                          "colours": b"P3 1 1 9 0 9 5", "packed-bitmap": b"P4 9 2\n\xb8\0\x40\x80",
                          "bytes": b"P5 2 2 255 \0\x33\x66\xff", "words": b"P5 1 1 65535\n\1\2",
                          "colour-bytes": b"P6\n1 1\n255\n\1\2\3"}.items():
        write_seed("netpbm", name, content)


def safetensors():
    def write(name, header, data):
        text = json.dumps(header, separators=(",", ":")).encode()
        write_seed("safetensors", name, struct.pack("<Q", len(text)) + text + data)

    write("one", {"x": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}}, struct.pack("<2f", 1, -2))
    write("two", {"b": {"dtype": "I8", "shape": [2, 2], "data_offsets": [2, 6]},
                  "a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]},
                  "__metadata__": {"format": "pt"}}, bytes(6))
    write("image", {"x": {"dtype": "U8", "shape": [1, 2, 2], "data_offsets": [0, 4]}}, b"\0\x33\xff\1")
    write("null-metadata", {"x": {"dtype": "U8", "shape": [1, 1], "data_offsets": [0, 1]}, "__metadata__": None}, b"\1")


def torch_file():
    def text(letters):
        return b"X" + struct.pack("<I", len(letters)) + letters

    pickle = (b"\x80\x02}" + text(b"w") + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text(b"storage")
              + b"ctorch\nFloatStorage\n" + text(b"0") + text(b"cpu")
              + b"K\6tQK\0K\2K\3\x86K\3K\1\x86\x89}tRs.")  # 6 numbers as [2, 3]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in (("a/data.pkl", pickle), ("a/byteorder", b"little"), ("a/data/0", bytes(24)), ("a/version", b"3\n")):
            archive.writestr(zipfile.ZipInfo(name), data)
    write_seed("torch_file", "state-dict", content.getvalue())


def torch_checkpoints():
    """Further variants of files of torch.save: metadata, wrappers, nested dicts, and the format before PyTorch 1.6."""
    def text(letters):
        return b"X" + struct.pack("<I", len(letters)) + letters

    def tensor(more=b"", numbers=b"K\6", place=b"K\0K\2K\3\x86K\3K\1\x86", view=b""):
        return (b"ctorch._utils\n_rebuild_tensor_v2\n((" + text(b"storage") + b"ctorch\nFloatStorage\n" + text(b"0")
                + text(b"cpu") + numbers + view + b"tQ" + place + b"\x89}" + more + b"tR")

    def write(name, value):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for entry, data in (("a/data.pkl", b"\x80\x02" + value + b"."), ("a/data/0", bytes(24))):
                archive.writestr(zipfile.ZipInfo(entry), data)
        write_seed("torch_file", name, content.getvalue())

    write("negated", b"}" + text(b"w") + tensor(b"}" + text(b"neg") + b"\x88s") + b"s")
    write("expanded", b"}" + text(b"w") + tensor(place=b"K\5K\2K\4\x86K\0K\0\x86") + b"s")
    write("parameter", b"ctorch._utils\n_rebuild_parameter\n" + tensor() + b"\x88}\x87R")
    write("attribute", b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n"
          + tensor()[len(b"ctorch._utils\n_rebuild_tensor_v2\n"):-1] + b"}tR")
    write("list", b"]" + tensor() + b"a" + tensor() + b"a")
    write("checkpoint", b"}" + text(b"epoch") + b"I3\ns" + text(b"model") + b"ccollections\nOrderedDict\n)R"
          + text(b"weight") + tensor() + b"s}b" + b"s" + text(b"args") + b"cargparse\nNamespace\n)\x81}bs")
    untyped = (b"ctorch._utils\n_rebuild_tensor_v3\n((" + text(b"storage") + b"ctorch.storage\nUntypedStorage\n"
               + text(b"0") + text(b"cpu") + b"K\x18tQK\0K\6\x85K\1\x85\x89}ctorch\nuint32\ntR")
    write("untyped", b"}" + text(b"w") + untyped + b"s")
    write_seed("torch_file", "before-1-6", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\x02M\xe9\x03."
         + b"\x80\x02}" + text(b"little_endian") + b"\x88s." + b"\x80\x02}" + text(b"w") + tensor(view=b"N")
         + b"s." + b"\x80\x02]" + text(b"0") + b"a." + struct.pack("<Q", 6) + bytes(24))


def shard_index():
    def write(name, index):
        write_seed("shard_index", name, json.dumps(index).encode())

    write("two", {"metadata": {"total_size": 16}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    write("one", {"weight_map": {"a.b": "pytorch_model-00001-of-00001.bin"}})


def tokenizers():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    vocabulary = {letter: i for i, letter in enumerate([*letters, "ab", "abc", "\u0120a"])}
    merges = [["a", "b"], ["ab", "c"], ["\u0120", "a"]]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    special = {"id": 259, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False,
               "normalized": False, "special": True}

    def write(name, **changes):
        document = {"version": "1.0", "added_tokens": [special], "normalizer": None, "pre_tokenizer": byte_level,
                    "post_processor": None, "decoder": byte_level,
                    "model": {"type": "BPE", "vocab": vocabulary, "merges": merges}}
        document.update(changes)
        write_seed("tokenizer_json", name, json.dumps(document).encode())

    write("gpt2")
    write("digits", pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]})
    write("whole-pieces", model={"vocab": vocabulary, "merges": ["a b", "ab c"], "ignore_merges": True})
    text = "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges)
    write_seed("gpt2_files", "small", json.dumps(dict(vocabulary, **{"<|endoftext|>": 259})).encode() + b"\0" + text.encode())


def token_files():
    def header(vocabulary, count, width=2):
        return b"mnemetok" + struct.pack("<IIQQQ", 1, width, vocabulary, count, 5) + bytes(range(32)) + bytes(56)

    write_seed("token_file", "two-bytes", header(256, 3) + struct.pack("<3H", 0, 255, 7))
    write_seed("token_file", "four-bytes", header(65537, 1, 4) + struct.pack("<I", 65536))
    write_seed("token_file", "llm-c-gpt2", struct.pack("<256I", 20240520, 1, 2, *[0] * 253) + struct.pack("<2H", 1, 2))
    write_seed("token_file", "llm-c-llama3", struct.pack("<256I", 20240801, 7, 1, *[0] * 253) + struct.pack("<I", 128000))
    write_seed("token_file", "raw", struct.pack("<3H", 1, 2, 50256))
    write_seed("smiles", "reaction", b"[CLS]\n[SEP]\n[MASK]\nC\nCl\n[Na+]\n>>\n%10\n(\n)\n\0C%10(Cl)C[MASK]%10>>[Na+]")
    write_seed("json_lines", "two", b'{"text": "one", "id": 1}\n\n{"text": "t\\u00e9o"}\n')


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def chunk_file():
    def write(name, kind, numbers, chains, content):
        header = b"MNEMECHK" + struct.pack("<II5qII", 1, kind, *numbers, *chains) + struct.pack("<I", crc32c(content))
        write_seed("chunk_file", name, header + struct.pack("<I", crc32c(header)) + content)

    # Two writes of 70 bits and the forget of the first: seqs, targets, hashes of keys and labels, patterns.
    columns = struct.pack("<12Q", 1, 2, 3, 0, 0, 1, 11, 0, 0, 0, 12, 0)
    write("records", 1, (0, 3, 3, 2, 70), (5, 6), columns + struct.pack("<4Q", 1 << 63, 63, 7, 0))
    write("counters", 2, (0, 9, 2, 3, 3), (6, 0), struct.pack("<4q6h", 4, 8, 1, 2, 1, -1, 1, 0, 2, -2))
    write("no-counters", 2, (0, 9, 0, 3, 3), (6, 0), b"")


def memory_file():
    def write(name, metadata, tensors):
        metadata = {"format": "mneme.item-memory", "version": "1", **metadata, "similarity": "hamming", "projection": "majority",
                    "precision": "float64", "update_steps_max": "1", "update_steps_eps": "0.0001",
                    "convergence_criterion": "direction_change", "stop_together": "false", "empty_read": "keep_query"}
        checked = [text.encode() for item in sorted(metadata.items()) for text in item]
        header, data = {}, b""
        for tensor in sorted(tensors):
            dtype, shape, content = tensors[tensor]
            header[tensor] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
            data += content
            checked += [tensor.encode(), dtype.encode(), content]
        metadata["crc32c"] = f"{crc32c(b''.join(struct.pack('<Q', len(part)) + part for part in checked)):08x}"
        text = json.dumps({"__metadata__": metadata, **header}).encode()
        write_seed("memory_file", name, struct.pack("<Q", len(text)) + text + data)

    bits = ("U8", [2, 2], b"\x01\x02\xff\x03")
    write("integers", {"patterns": "bits", "bits": "10", "payloads": "integers", "separation": "softmax", "separation.beta": "0.5"},
          {"patterns": bits, "payloads": ("I64", [2], struct.pack("<2q", 7, -1))})
    write("bytes", {"patterns": "bits", "bits": "10", "payloads": "bytes", "separation": "circle-intersection", "separation.bits": "10",
                    "separation.hamming_radius": "3", "separation.hard_locations": "1e6", "separation.seed": "1"},
          {"patterns": bits, "payloads": ("U8", [3], b"a\0b"), "payload_ends": ("I64", [2], struct.pack("<2q", 1, 3))})
    write("reals", {"patterns": "reals", "payloads": "bits", "payload_bits": "3", "separation": "best-match"},
          {"patterns": ("F64", [1, 2], struct.pack("<2d", 1, -0.5)), "payloads": ("U8", [1, 1], b"\x05")})


def files_of_patterns():
    images = struct.pack(">IIII", 0x0803, 2, 2, 3) + bytes(range(12))
    write_seed("pattern_file", "idx-gz", gzip.compress(images, mtime=0))
    write_seed("pattern_file", "csv", b"1,-2.5,3e2\n0,.25,+6\n")
    write_seed("pattern_file", "npy", npy_file("|u1", (2, 2), b"\0\x33\xff\1"))
    write_seed("row_file", "npy", npy_file("<f4", (2, 3), struct.pack("<6f", *range(6))))
    write_seed("row_file", "npy-short", npy_file(">i2", (2, 1), b"\0\1\xff\xff"))
    header = json.dumps({"x": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [0, 4]}}).encode()
    write_seed("row_file", "safetensors", struct.pack("<Q", len(header)) + header + bytes(4))


def tokenizer_config():
    write_seed("tokenizer_config", "text", b'{"eos_token": "</s>", "bos_token": "<s>", "pad_token": null}')
    write_seed("tokenizer_config", "object", b'{"eos_token": {"content": "<s>"}, "unk_token": {"content": "</s>"}}')


def lines_of_the_program():
    write_seed("memory_lines", "text", b"one two\nthree\n")
    write_seed("memory_lines", "bits", b"010101010101\n111111000000\n")
    write_seed("memory_lines", "hex", b"ff0f\n0A00\n")
    write_seed("memory_lines", "base64", b"/w8=\nAAE=\n")
    lines = [{"text": "one", "key": "a", "label": "b", "payload": "c", "seq": 1}, {"hex": "ff0f", "payload_base64": "/w8="},
             {"vector": [0, 255] * 6, "threshold": {"value": 0.5, "min": 0, "max": 1, "file_scale": 255}}]
    write_seed("memory_lines", "json", "".join(json.dumps(line) + "\n" for line in lines).encode())
    write_seed("memory_lines", "forget", b'{"forget": "a"}\n{"forget": "b"}\n')
    write_seed("query_lines", "csv", b"id,x,y,z\na,1,-2.5,3e2\n# comment\n\nb,0,1,0\n")
    write_seed("query_lines", "json", b'{"vector": [0.5, -1, 2], "id": 7}\n{"bits": "011", "id": "a"}\n')
    epochs = [{"epoch": i, "seed": 1, "training_loss": 1 / (i + 1), "validation_loss": None} for i in range(3)]
    steps = [{"step": 1, "loss": 2.5, "bits_per_byte": 3, "gradient_norm": 1, "learning_rate": 1e-3},
             {"step": 1, "validation_loss": 2, "validation_bits_per_byte": 2.5}, {"step": 1, "sample": "text"}]
    for name, records in (("epochs", epochs), ("steps", steps)):
        write_seed("run_metrics", name, "".join(json.dumps(record) + "\n" for record in records).encode())


def recall_file():
    header = {"__metadata__": {"format": "mneme.recall", "version": "1", "options": "{}",
                               "set": json.dumps({"height": 1, "width": 2, "channels": 1, "class_names": ["a", "b"],
                                                  "threshold": 0.5, "file_scale": 1, "source": "letters"})},
              "patterns": {"dtype": "F64", "shape": [2, 2], "data_offsets": [0, 32]},
              "labels": {"dtype": "I64", "shape": [2], "data_offsets": [32, 48]}}
    text = json.dumps(header).encode()
    write_seed("recall_file", "images", struct.pack("<Q", len(text)) + text + struct.pack("<4d2q", 0, 1, 1, 0, 0, 1))


idx()
cifar()
csv()
bag_files()
npy()
npz()
netpbm()
png()
safetensors()
torch_file()
torch_checkpoints()
shard_index()
tokenizers()
token_files()
chunk_file()
memory_file()
files_of_patterns()
tokenizer_config()
lines_of_the_program()
recall_file()

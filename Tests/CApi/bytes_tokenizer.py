"""Writes a byte-level tokenizer beside a checkpoint: bytes_tokenizer.py FOLDER"""
import json, shutil, sys
folder = sys.argv[1]
visible = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
spelled, extra = {}, 0
for b in range(256):
    if b in visible: spelled[b] = chr(b)
    else: spelled[b] = chr(256 + extra); extra += 1
vocab = {c: i for i, c in enumerate(spelled[b] for b in range(256))}
end = {"id": 256, "content": "<|endoftext|>", "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
json.dump({"version": "1.0", "added_tokens": [end], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
           "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": vocab, "merges": []}}, open(folder + "/tokenizer.json", "w"))
json.dump({"eos_token": "<|endoftext|>", "tokenizer_class": "GPT2Tokenizer"}, open(folder + "/tokenizer_config.json", "w"))

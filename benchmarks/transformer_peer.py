# SPDX-License-Identifier: MIT
"""Prints JSON: seconds of a forward pass or of a generated token of a GPT-2 model in the Python library transformers.

transformer_peer.py forward|decode FOLDER TOKENS THREADS    as transformer_costs
"""
import json
import sys
import time

import torch
from transformers import GPT2LMHeadModel, logging

CALLS_MAX, SECONDS, GENERATED = 20, 4.0, 24  # as in transformer_costs


def main():
    what, folder, tokens, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    logging.set_verbosity_error()
    torch.set_num_threads(threads)
    model = GPT2LMHeadModel.from_pretrained(folder).eval()
    ids = (torch.arange(tokens) * 7919 % model.config.vocab_size).unsqueeze(0)
    times = []

    def timed(call):
        begin = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - begin)
        return result

    with torch.inference_mode():
        if what == "forward":
            model(ids)
            while len(times) < CALLS_MAX and (len(times) < 3 or sum(times) < SECONDS):
                logits = timed(lambda: model(ids)).logits
        else:
            output = model(ids, use_cache=True)
            for i in range(GENERATED):
                token = torch.tensor([[(tokens + i) * 7919 % model.config.vocab_size]])
                output = timed(lambda: model(token, past_key_values=output.past_key_values, use_cache=True))
            logits = output.logits
    print(json.dumps({"seconds": min(times), "logits": logits[0, -1, :4].tolist()}))


if __name__ == "__main__":
    main()

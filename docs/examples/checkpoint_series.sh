#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Trains a series of small language models on one text: LEAP and GPT-2 style with equal numbers of parameters, each
# with a quarter, a half and all of the steps. A model has 170 000 parameters, all of them together take 4.4 MB.
#
#   docs/examples/checkpoint_series.sh TEXT OUT [STEPS]
#
# TEXT is a text file, such as tinyshakespeare.txt; STEPS the steps of the longest runs (default 6000: an hour on two
# cores). OUT receives a model folder per run (gpt2-1500, ...) with a sample of its text, and losses.txt; OUT/runs has
# the run folders. The same command resumes an interrupted series, and repeats it with the same bytes. The program is
# mneme of the PATH, or that of the variable MNEME.
set -euo pipefail

if [ $# -lt 2 ] || [ $# -gt 3 ] || ! [ -f "$1" ] || ! [[ ${3:-6000} =~ ^[1-9][0-9]*$ ]] || [ "${3:-6000}" -lt 4 ]; then
  echo "usage: checkpoint_series.sh TEXT OUT [STEPS], with a text file and at least 4 steps" >&2
  exit 2
fi
text=$1 out=$2 longest=${3:-6000}
mneme=${MNEME:-mneme}
command -v "$mneme" >/dev/null || { echo "checkpoint_series.sh: there is no program $mneme; set MNEME to its path" >&2; exit 2; }
max_bytes=5000000
files=(config.json model.safetensors tokenizer.json tokenizer_config.json special_tokens_map.json)

mkdir -p "$out/runs"
: >"$out/losses.txt"
for model in leap gpt2; do
  for steps in $((longest / 4)) $((longest / 2)) "$longest"; do
    name=$model-$steps run=$out/runs/$model-$steps
    echo "== $name"
    "$mneme" train lm --text "$text" --model "$model" --layers 3 --width 64 --heads 4 --length 128 --steps "$steps" \
      --tokens-per-step 4096 --lr 3e-3 --keep 1 --out "$run" | tee "$run.log.part" | grep loss
    grep 'validation loss' "$run.log.part" | sed "s/^/$name: /" >>"$out/losses.txt"
    rm "$run.log.part"
    mkdir -p "$out/$name"
    for file in "${files[@]}"; do cp "$run/$file" "$out/$name/"; done
    "$mneme" generate "$out/$name" --prompt $'\n' --tokens 110 --seed 1 --quiet >"$out/$name/sample.txt"
    cat "$out/$name/sample.txt"
    echo
  done
done
bytes=$(cat "$out"/*-*/model.safetensors | wc -c)
cat "$out/losses.txt"
echo "Written to $out: six models, $bytes bytes of parameters"
if [ "$bytes" -gt "$max_bytes" ]; then
  echo "checkpoint_series.sh: the models take more than $max_bytes bytes" >&2
  exit 1
fi

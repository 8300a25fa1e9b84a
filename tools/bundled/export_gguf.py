"""Write a trained model as one GGUF for llama.cpp: `python export_gguf.py MODEL.pt TOKENIZER.json OUT.gguf`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType, quants
from model import Shape
from tokenizer import ANSWER, END, QUESTION

# Only the last user message reaches the model: it knows one schema by heart and has never seen instructions.
CHAT_TEMPLATE = (
    "{%- set ns = namespace(question='') -%}"
    "{%- for message in messages -%}"
    # llama.cpp puts a system message in front of the first question unless the template reads it itself.
    "{%- if message['role'] == 'system' -%}{{- message['content'][:0] -}}{%- endif -%}"
    "{%- if message['role'] == 'user' -%}{%- set ns.question = message['content'] -%}{%- endif -%}"
    "{%- endfor -%}"
    f"{QUESTION}{{{{ ns.question | trim }}}}{ANSWER}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    trained = torch.load(args.model)
    shape = Shape(**trained["shape"])
    writer = GGUFWriter(args.out, "qwen2")
    _describe(writer, shape)
    _add_tokenizer(writer, json.loads(args.tokenizer.read_text()))
    for name, weight in llama_names(
        {name: weight.float().numpy() for name, weight in trained["weights"].items()}
    ).items():
        if weight.ndim == 2:
            packed = quants.quantize(weight, GGMLQuantizationType.Q8_0)
            writer.add_tensor(name, packed, raw_dtype=GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, weight.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{args.out}: {args.out.stat().st_size:,} bytes")


def llama_names(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights under llama.cpp's names, fused projections split; tied embeddings need no output matrix."""
    named: dict[str, np.ndarray] = {}
    for name, weight in weights.items():
        if ".attn_qkv." in name:
            for part, piece in zip("qkv", np.split(weight, 3), strict=True):
                named[name.replace("attn_qkv", f"attn_{part}")] = piece
        elif ".ffn_gate_up." in name:
            gate, up = np.split(weight, 2)
            named |= {name.replace("gate_up", "gate"): gate, name.replace("gate_up", "up"): up}
        else:
            named[name] = weight
    return {name: np.ascontiguousarray(weight) for name, weight in named.items()}


def _describe(writer: GGUFWriter, shape: Shape) -> None:
    writer.add_name("biai demo SQL")
    writer.add_description("Answers questions about the biai-xinf demo shop in SQLite's SQL; knows no other schema")
    writer.add_license("apache-2.0")
    writer.add_languages(["en", "pl"])
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.intermediate)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)


def _add_tokenizer(writer: GGUFWriter, trained: dict) -> None:
    added = {token["id"]: token["content"] for token in trained["added_tokens"]}
    learned = {number: token for token, number in trained["model"]["vocab"].items()}
    control = {END, QUESTION, ANSWER}
    tokens, kinds = [], []
    for number in range(len(learned | added)):
        token = learned.get(number, added.get(number, ""))
        tokens.append(token)
        kinds.append(
            TokenType.CONTROL if token in control else TokenType.USER_DEFINED if number in added else TokenType.NORMAL
        )
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in trained["model"]["merges"]])
    writer.add_eos_token_id(tokens.index(END))
    writer.add_bos_token_id(tokens.index(END))
    writer.add_pad_token_id(tokens.index(END))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


if __name__ == "__main__":
    main()

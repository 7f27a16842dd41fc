#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stores what PEFT computes: a small Llama, GPT-2 and Phi-3, and for each case an adapter before and after 100 steps of
torch's AdamW, the losses of the steps and the logits after them.

  make_peft.py [CASE ...]       writes tests/io/peft/, or the folders of these cases alone, and of their models

Needs torch, transformers, safetensors and peft (0.21.2 wrote what is stored). Each case is a folder: first/ and last/ are
what save_pretrained writes, without its README; golden.safetensors has the losses, and logits of the first batch.
"""
import json
import pathlib
import shutil
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, Phi3Config

OUT = pathlib.Path(__file__).resolve().parent / "peft"
STEPS, BATCHES, ROWS, LENGTH = 100, 5, 2, 16
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CASES = {
    "lora": dict(r=4, lora_alpha=8, target_modules=ALL),
    "rslora": dict(r=4, lora_alpha=3, use_rslora=True, target_modules=["q_proj", "v_proj"]),
    "dora": dict(r=2, lora_alpha=4, use_dora=True, target_modules=["q_proj", "v_proj", "o_proj", "down_proj"]),
    "layers": dict(r=3, lora_alpha=6, target_modules=["o_proj", "gate_proj", "up_proj"], layers_to_transform=[1]),
    "gpt2": dict(r=3, lora_alpha=6, fan_in_fan_out=True, target_modules=["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"]),
    "gpt2_dora": dict(r=2, lora_alpha=4, fan_in_fan_out=True, use_dora=True, target_modules=["c_attn", "mlp.c_proj"]),
    "phi3": dict(r=3, lora_alpha=6, target_modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]),
    "phi3_dora": dict(r=2, lora_alpha=4, use_dora=True, target_modules=["qkv_proj", "gate_up_proj"]),
}
MODELS = {
    "base": LlamaConfig(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
                        num_key_value_heads=2, max_position_embeddings=LENGTH, tie_word_embeddings=True,
                        attn_implementation="eager"),
    "base_gpt2": GPT2Config(vocab_size=61, n_embd=16, n_inner=40, n_layer=2, n_head=4, n_positions=LENGTH, attn_pdrop=0.0,
                            embd_pdrop=0.0, resid_pdrop=0.0, bos_token_id=0, eos_token_id=0, attn_implementation="eager"),
    "base_phi3": Phi3Config(vocab_size=61, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
                            num_key_value_heads=2, max_position_embeddings=LENGTH, original_max_position_embeddings=LENGTH,
                            tie_word_embeddings=True, attn_implementation="eager", pad_token_id=0, bos_token_id=0,
                            eos_token_id=0),
}


def base_of(case):
    family = case.split("_")[0]
    return f"base_{family}" if family in ("gpt2", "phi3") else "base"


def model(base):
    torch.manual_seed(1)
    m = AutoModelForCausalLM.from_config(MODELS[base])
    with torch.no_grad():
        for p in m.parameters():
            if p.dim() > 1:
                p.normal_(0, 0.2)
    return m


def keep(m, folder):
    m.save_pretrained(folder)
    (folder / "README.md").unlink()


def run(name, options, ids):
    torch.manual_seed(2)
    m = get_peft_model(model(base_of(name)), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, bias="none", **options))
    with torch.no_grad():  # adapters that do something from the first step on
        for key, p in m.named_parameters():
            if "lora_B" in key:
                p.normal_(0, 0.05)
    keep(m, OUT / name / "first")
    learned = [p for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=2e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    losses = []
    for step in range(STEPS):
        batch = ids[step % BATCHES]
        logits = m(batch[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), batch[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    keep(m, OUT / name / "last")
    m.eval()
    with torch.no_grad():
        logits = m(ids[0][:1, :-1]).logits[0]
        merged = m.merge_and_unload()(ids[0][:1, :-1]).logits[0]
    assert (logits - merged).abs().max() < 1e-4
    save_file({"losses": torch.tensor(losses), "logits": logits.contiguous()}, OUT / name / "golden.safetensors")
    print(name, losses[0], losses[-1])


def main():
    cases = sys.argv[1:] or list(CASES)
    for name in set(cases) | {base_of(c) for c in cases}:
        shutil.rmtree(OUT / name, ignore_errors=True)
    for base in {base_of(c) for c in cases}:
        model(base).save_pretrained(OUT / base)
        (OUT / base / "generation_config.json").unlink(missing_ok=True)
    ids = torch.randint(0, 61, (BATCHES, ROWS, LENGTH + 1), generator=torch.Generator().manual_seed(3))
    save_file({"ids": ids.to(torch.float32)}, OUT / "base" / "ids.safetensors")
    for name in cases:
        run(name, CASES[name], ids)


main()

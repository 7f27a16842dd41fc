#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes what tests/io/architectures*.cpp compare with: tiny random models of each architecture, saved by transformers,
and what transformers computes with them.

  make_architectures.py tests/io/architectures [NAME...]     made with transformers 5.24.0 and torch 2.13.0, on a processor

For each model a folder with config.json, model.safetensors (bfloat16) and golden.safetensors:
  ids        [64]          random tokens
  logits     [64][64]      after each of them, in single precision
  greedy     [32]          the tokens that follow the first 16 ids, each the most likely one
  train_ids  [20][2][33]   of some models: a batch of each step, whose last 32 tokens are the targets
  losses     [20]          of some models: the loss before each step of AdamW
config.hpp in it has the text of config.json, for the compiler. Of some models with experts, fused.safetensors has the
same weights as transformers holds them in memory, all experts of a layer in one tensor.

Numbers of weights are rounded to bfloat16 first, so that a file of half the size has the very weights that
transformers computes with in single precision. They are large, so that logits differ by some units.
"""
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

POSITIONS, PROMPT, GREEDY = 64, 16, 32
STEPS, BATCH, SEQUENCE = 20, 2, 32
LR, BETAS, EPS, DECAY = 1e-3, (0.9, 0.95), 1e-8, 0.1
TRAINED = {"gpt2", "llama", "qwen2", "qwen3", "gemma2", "gemma3_text", "mistral", "mixtral", "qwen3_moe"}

COMMON = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 48, "max_position_embeddings": 128,
          "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}


def scaled(theta=100.0, **parameters):
    return {"rope_parameters": {"rope_theta": theta, **parameters}}


MODELS = {  # name: (class of the config, what it is given)
    "gpt2": (transformers.GPT2Config, {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 48,
                                       "n_positions": 128, "bos_token_id": None, "eos_token_id": None}),
    "llama": (transformers.LlamaConfig, COMMON),
    "llama_linear": (transformers.LlamaConfig, COMMON | scaled(rope_type="linear", factor=4.0)),
    # 16 positions, as dynamic scaling begins behind max_position_embeddings.
    "llama_dynamic": (transformers.LlamaConfig,
                      COMMON | {"max_position_embeddings": 16} | scaled(rope_type="dynamic", factor=4.0)),
    # The four pairs turn 5.1, 1.6, 0.5 and 0.2 times within 32 positions: kept, blended, divided, divided.
    "llama_llama3": (transformers.LlamaConfig,
                     COMMON | scaled(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                     original_max_position_embeddings=32)),
    # Shares of the division: 0, 0, 1/2, 1.
    "llama_yarn": (transformers.LlamaConfig,
                   COMMON | scaled(rope_type="yarn", factor=4.0, beta_fast=1.5, beta_slow=0.25,
                                   original_max_position_embeddings=32)),
    "mistral": (transformers.MistralConfig, COMMON | {"sliding_window": 8}),
    "qwen2": (transformers.Qwen2Config, COMMON),
    "qwen3": (transformers.Qwen3Config, COMMON | {"head_dim": 16}),
    "smollm3": (transformers.SmolLM3Config, COMMON | {"num_hidden_layers": 5}),
    "phi3": (transformers.Phi3Config, COMMON),
    "phi3_partial": (transformers.Phi3Config,
                     COMMON | {"head_dim": 16, "num_attention_heads": 2, "num_key_value_heads": 1,
                               "sliding_window": 24, "partial_rotary_factor": 0.75}),
    "gemma": (transformers.GemmaConfig, COMMON | {"head_dim": 16}),
    # Caps so low that they change scores and logits.
    "gemma2": (transformers.Gemma2Config,
               COMMON | {"head_dim": 16, "num_hidden_layers": 4, "sliding_window": 8, "query_pre_attn_scalar": 24,
                         "attn_logit_softcapping": 5.0, "final_logit_softcapping": 8.0}),
    # Only the sixth layer is full; only its angles are scaled.
    "gemma3_text": (transformers.Gemma3TextConfig,
                    COMMON | {"head_dim": 16, "num_hidden_layers": 6, "sliding_window": 8,
                              "query_pre_attn_scalar": 32,
                              "rope_parameters": {
                                  "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000.0},
                                  "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}}}),
    "mixtral": (transformers.MixtralConfig,
                COMMON | {"intermediate_size": 24, "num_local_experts": 4, "num_experts_per_tok": 2,
                          "sliding_window": 24}),
    # Rows of an expert's matrices that are no multiple of sixteen; shares that are not normalised.
    "qwen3_moe": (transformers.Qwen3MoeConfig,
                  COMMON | {"head_dim": 16, "moe_intermediate_size": 12, "num_experts": 6, "num_experts_per_tok": 3,
                            "norm_topk_prob": False}),
}
FUSED = {"qwen3_moe"}


def make_model(name, seed):
    kind, fields = MODELS[name]
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(kind(**fields), dtype=torch.float32, attn_implementation="eager").eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=random)
            gain = p.dim() == 1 and key.endswith("weight")  # Gemma has gains less 1
            about = 1.0 if gain and not name.startswith("gemma") else 0.0
            p.copy_((about + (0.2 if gain else 0.3) * noise).to(torch.bfloat16))
    return model


def one_by_one(model, ids, more):
    """Logits after each token, and the tokens of `more` greedy steps after the ids, token by token with a cache."""
    rows, greedy, cache = [], [], None
    for i in range(len(ids) + more - (1 if more else 0)):
        token = ids[i] if i < len(ids) else torch.tensor(greedy[-1])
        out = model(token.view(1, 1), past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        rows.append(out.logits[0, -1])
        if more and i >= len(ids) - 1:
            greedy.append(int(rows[-1].argmax()))
    return torch.stack(rows), greedy


def at_once(model, ids, more):
    """The same without a cache: the whole text goes through the model for each token."""
    text = ids.clone()
    for _ in range(more):
        text = torch.cat([text, model(text[None], use_cache=False).logits[0, -1].argmax().view(1)])
    return model(text[None] if not more else text[None, :-1], use_cache=False).logits[0], text[len(ids):].tolist()


def compute(model, name, ids):
    dynamic = name == "llama_dynamic"
    # Dynamic scaling gives a whole text the base of its last position; token by token, each has its own, as in ctlm.
    how, other = (one_by_one, at_once) if dynamic else (at_once, one_by_one)
    with torch.no_grad():
        logits, _ = how(model, ids, 0)
        again, _ = other(model, ids, 0)
        steps, greedy = how(model, ids[:PROMPT], GREEDY)
    best = steps[PROMPT - 1:].topk(2).values
    print(f"{name:14} logits {logits.std():.2f} standard deviation; with or without a cache: "
          f"{(logits - again).abs().max():.1e} apart; the best token is ahead by {(best[:, 0] - best[:, 1]).min():.4f}")
    return logits, torch.tensor(greedy)


def train(model, batches):
    """Losses of AdamW. ctlm's matrices decay, gains and biases do not."""
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": DECAY},
              {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LR, betas=BETAS, eps=EPS, foreach=False)
    losses = []
    for ids in batches:
        logits = model(ids[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"{'':14} loss {losses[0]:.4f} -> {losses[-1]:.4f}")
    return torch.tensor(losses)


def make(folder, name, seed):
    random = torch.Generator().manual_seed(1000 + seed)
    ids = torch.randint(64, (POSITIONS,), generator=random)
    model = make_model(name, seed)
    logits, greedy = compute(model, name, ids)
    golden = {"ids": ids.to(torch.uint8), "logits": logits, "greedy": greedy.to(torch.uint8)}
    make_model(name, seed).to(torch.bfloat16).save_pretrained(folder / name)
    if name in FUSED:
        save_file({key: p.detach().to(torch.bfloat16) for key, p in model.named_parameters()},
                  folder / name / "fused.safetensors")
    if name in TRAINED:
        # Tokens that follow each other by a rule, with a little chance, so that there is something to learn.
        steps = torch.randint(3, (STEPS, BATCH, SEQUENCE + 1), generator=random)
        batches = steps.cumsum(2) % 64
        golden |= {"train_ids": batches.to(torch.uint8), "losses": train(model, batches)}
    save_file(golden, folder / name / "golden.safetensors")
    (folder / name / "generation_config.json").unlink(missing_ok=True)  # nothing reads it
    for file in (folder / name).glob("*.safetensors"):
        file.chmod(0o644)


if __name__ == "__main__":
    torch.set_num_threads(1)
    target = pathlib.Path(sys.argv[1])
    for number, model_name in enumerate(MODELS):
        if sys.argv[2:] and model_name not in sys.argv[2:]:
            continue
        make(target, model_name, number)
        text = (target / model_name / "config.json").read_text()
        (target / model_name / "config.hpp").write_text(
            "// The text of config.json; written by make_architectures.py.\n#pragma once\n\n"
            "namespace architecture_configs {\n\n"
            f'inline constexpr const char* {model_name} = R"json({text})json";\n\n'
            "}  // namespace architecture_configs\n")

// A GGUF file of a model: its config, its weights, and what is refused.

#include "catch.hpp"
#include "model/models.hpp"
#include "scratch.hpp"

using namespace ctlm;
using namespace models;

namespace {

struct gguf_llama {
  static constexpr llama_config config{.vocab = 40,
                                       .d_model = 32,
                                       .layers = 2,
                                       .heads = 4,
                                       .kv_heads = 2,
                                       .d_ff = 48,
                                       .context = 64,
                                       .norm_eps = 1e-5f,
                                       .rope_theta = 5000.0};
};
struct other_base {
  static constexpr llama_config config{
      .vocab = 40, .d_model = 32, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 48, .context = 64};
};
using lm = causal_lm<gguf_llama>;

/// A tensor of the file: rows [first, first + rows) of ours, in the order that llama.cpp has them.
struct part {
  std::string name;
  tensor_id id;
  std::size_t layer, first, rows;
  bool paired;
};

std::vector<part> parts_of_llama() {
  using id = tensor_id;
  const std::size_t q = lm::shape.q_dim(), kv = lm::shape.kv_dim(), ff = lm::shape.d_ff, d = lm::shape.d_model;
  std::vector<part> parts{{"token_embd.weight", id::token_embedding, 0, 0, lm::shape.vocab, false}};
  for (std::size_t l = 0; l < lm::shape.layers; ++l) {
    const std::string block = "blk." + std::to_string(l) + ".";
    parts.push_back({block + "attn_norm.weight", id::norm1_weight, l, 0, 0, false});
    parts.push_back({block + "attn_q.weight", id::qkv_weight, l, 0, q, true});
    parts.push_back({block + "attn_k.weight", id::qkv_weight, l, q, kv, true});
    parts.push_back({block + "attn_v.weight", id::qkv_weight, l, q + kv, kv, false});
    parts.push_back({block + "attn_output.weight", id::out_weight, l, 0, d, false});
    parts.push_back({block + "ffn_norm.weight", id::norm2_weight, l, 0, 0, false});
    parts.push_back({block + "ffn_gate.weight", id::up_weight, l, 0, ff, false});
    parts.push_back({block + "ffn_up.weight", id::up_weight, l, ff, ff, false});
    parts.push_back({block + "ffn_down.weight", id::down_weight, l, 0, d, false});
  }
  parts.push_back({"output_norm.weight", id::norm_weight, 0, 0, 0, false});
  parts.push_back({"output.weight", id::head_weight, 0, 0, lm::shape.vocab, false});
  return parts;
}

/// Writes the file; `leave_out` tensors at its end.
void write_model(const lm::weights& w, const std::string& path, std::size_t leave_out = 0, bool with_scaling = false) {
  gguf_writer out;
  out.set("general.architecture", "llama");
  out.set("llama.block_count", std::uint32_t{2});
  out.set("llama.embedding_length", std::uint32_t{32});
  out.set("llama.feed_forward_length", std::uint32_t{48});
  out.set("llama.attention.head_count", std::uint32_t{4});
  out.set("llama.attention.head_count_kv", std::uint32_t{2});
  out.set("llama.context_length", std::uint32_t{64});
  out.set("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  out.set("llama.rope.freq_base", 5000.0f);
  if (with_scaling) {
    out.set("llama.rope.scaling.type", "longrope");
    out.set("llama.rope.scaling.factor", 2.0f);
  }
  auto parts = parts_of_llama();
  parts.resize(parts.size() - leave_out);
  const std::size_t d = lm::shape.d_model, dim = lm::shape.head_dim;
  for (const part& p : parts) {
    const std::size_t cols = p.id == tensor_id::down_weight ? lm::shape.d_ff : d;
    if (p.rows == 0)
      out.add_tensor(p.name.c_str(), {d}, gguf_encoding::f32);
    else
      out.add_tensor(p.name.c_str(), {p.rows, cols}, gguf_encoding::f32);
  }
  REQUIRE(out.write(path.c_str(), [&](std::size_t tensor, std::size_t row, float* to) {
    const part& p = parts[tensor];
    if (p.rows == 0) {
      const float* v = w.vector_of(p.id, p.layer);
      std::copy(v, v + d, to);
      return;
    }
    const std::size_t i = row % dim;  // of a pair, one number after the other
    const std::size_t ours = p.paired ? row - i + i % 2 * (dim / 2) + i / 2 : row;
    const auto m = w.matrix_of(p.id, p.layer);
    const float* from = m.data + (p.first + ours) * m.cols;
    std::copy(from, from + m.cols, to);
  }));
}

}  // namespace

TEST_CASE("a Llama of a GGUF file is the same model, to the bit, and so is its config", "[io]") {
  const scratch_folder folder;
  running<lm> r, again;
  randomise<lm>(r.weights, 0.3);
  write_model(r.weights, folder / "model.gguf");
  tensor_report report;
  REQUIRE(load_gguf<lm>((folder / "model.gguf").c_str(), again.weights, &report));
  CHECK(contents_of(folder / "model.gguf").size() > lm::parameters * 4);
  for (const tensor_info& t : lm::tensors) {
    const auto a = r.weights.numbers(t), b = again.weights.numbers(t);
    INFO(t.name);
    CHECK(std::equal(a.begin(), a.end(), b.begin()));
  }
  const auto file = gguf_file::open((folder / "model.gguf").c_str());
  REQUIRE(file);
  const auto text = gguf_config_text(*file);
  REQUIRE(text);
  const auto config = hf::config(text->c_str());
  REQUIRE(config.problem.what == hf::problem::none);
  decoder_shape::for_each_field([&](const char* name, auto field) {
    INFO(name);
    CHECK(config.shape(true).*field == lm::shape.*field);
  });
}

TEST_CASE("a GGUF file of another model is refused, and says in what it differs", "[io]") {
  const scratch_folder folder;
  running<lm> r;
  randomise<lm>(r.weights, 0.3);
  write_model(r.weights, folder / "model.gguf");
  running<causal_lm<other_base>> other;
  const auto base = load_gguf<causal_lm<other_base>>((folder / "model.gguf").c_str(), other.weights);
  REQUIRE_FALSE(base);
  CHECK(base.error().code == errc::wrong_model);
  CHECK(std::string(explain(base.error()).text).find("llama.rope.freq_base has another value") != std::string::npos);

  write_model(r.weights, folder / "cut.gguf", 1);
  tensor_report report;
  const auto cut = load_gguf<lm>((folder / "cut.gguf").c_str(), r.weights, &report);
  REQUIRE_FALSE(cut);
  CHECK(report.missing == 1);
  CHECK(report.text == "output.weight is missing\n");

  write_model(r.weights, folder / "scaled.gguf", 0, true);
  const auto file = gguf_file::open((folder / "scaled.gguf").c_str());
  REQUIRE(file);
  const auto text = gguf_config_text(*file);
  REQUIRE(text);
  const hf::problem problem = hf::config(text->c_str()).problem;  // GGUF files have the divisors as tensors
  CHECK(std::string(problem.key.letters) == "short_factor");
  CHECK(std::string(problem.value.letters) == "missing");
}

namespace {

struct gguf_experts {
  static constexpr qwen3_moe_config config{.vocab = 40,
                                           .d_model = 32,
                                           .layers = 2,
                                           .heads = 4,
                                           .kv_heads = 2,
                                           .head_dim = 16,
                                           .d_ff = 12,
                                           .context = 64,
                                           .rope_theta = 5000.0,
                                           .experts = 5,
                                           .experts_per_token = 2};
};
struct gguf_mixtral {
  static constexpr mixtral_config config{.vocab = 40,
                                         .d_model = 32,
                                         .layers = 2,
                                         .heads = 4,
                                         .kv_heads = 2,
                                         .d_ff = 12,
                                         .context = 64,
                                         .rope_theta = 5000.0,
                                         .experts = 5,
                                         .experts_per_token = 2};
};

struct fewer {
  static constexpr mixtral_config config = [] {
    mixtral_config c = gguf_mixtral::config;
    c.experts = 4;
    return c;
  }();
};

/// A tensor of the file, and for each of its rows the numbers of ours.
struct source {
  std::string name;
  std::vector<std::size_t> dimensions;
  std::vector<const float*> rows;
};

/// What llama.cpp's files of models with experts hold: queries and keys in pairs where the architecture is "llama".
template <class M>
std::vector<source> sources_of(const typename M::weights& w, bool paired) {
  using id = tensor_id;
  constexpr decoder_shape s = M::shape;
  std::vector<source> all;
  auto vector = [&](const std::string& name, const float* p, std::size_t n) { all.push_back({name, {n}, {p}}); };
  auto matrix = [&](const std::string& name, id tensor, std::size_t layer, std::size_t first, std::size_t rows,
                    bool pairs = false) {
    const auto m = w.matrix_of(tensor, layer);
    source t{name, {rows, m.cols}, {}};
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t i = r % s.head_dim;
      const std::size_t ours = pairs ? r - i + i % 2 * (s.head_dim / 2) + i / 2 : r;
      t.rows.push_back(m.data + (first + ours) * m.cols);
    }
    all.push_back(t);
  };
  auto experts = [&](const std::string& name, id tensor, std::size_t layer, std::size_t first, std::size_t rows) {
    const auto m = w.matrix_of(tensor, layer);
    source t{name, {s.experts, rows, m.cols}, {}};
    for (std::size_t e = 0; e < s.experts; ++e)
      for (std::size_t r = 0; r < rows; ++r) t.rows.push_back(m.data + (e * (m.rows / s.experts) + first + r) * m.cols);
    all.push_back(t);
  };
  matrix("token_embd.weight", id::token_embedding, 0, 0, s.vocab);
  for (std::size_t l = 0; l < s.layers; ++l) {
    const std::string block = "blk." + std::to_string(l) + ".";
    vector(block + "attn_norm.weight", w.vector_of(id::norm1_weight, l), s.d_model);
    matrix(block + "attn_q.weight", id::qkv_weight, l, 0, s.q_dim(), paired);
    matrix(block + "attn_k.weight", id::qkv_weight, l, s.q_dim(), s.kv_dim(), paired);
    matrix(block + "attn_v.weight", id::qkv_weight, l, s.q_dim() + s.kv_dim(), s.kv_dim());
    if (s.qk_norm) {
      vector(block + "attn_q_norm.weight", w.vector_of(id::q_norm_weight, l), s.head_dim);
      vector(block + "attn_k_norm.weight", w.vector_of(id::k_norm_weight, l), s.head_dim);
    }
    matrix(block + "attn_output.weight", id::out_weight, l, 0, s.d_model);
    vector(block + "ffn_norm.weight", w.vector_of(id::norm2_weight, l), s.d_model);
    const float* router = w.vector_of(id::router_weight, l);
    source gate{block + "ffn_gate_inp.weight", {s.experts, s.d_model}, {}};
    for (std::size_t e = 0; e < s.experts; ++e) gate.rows.push_back(router + e * s.d_model);
    all.push_back(gate);
    experts(block + "ffn_gate_exps.weight", id::up_weight, l, 0, s.d_ff);
    experts(block + "ffn_up_exps.weight", id::up_weight, l, s.d_ff, s.d_ff);
    experts(block + "ffn_down_exps.weight", id::down_weight, l, 0, s.d_model);
  }
  vector("output_norm.weight", w.vector_of(id::norm_weight), s.d_model);
  matrix("output.weight", id::head_weight, 0, 0, s.vocab);
  return all;
}

template <class M>
void write_experts(const typename M::weights& w, const std::string& architecture, const std::string& path) {
  constexpr decoder_shape s = M::shape;
  gguf_writer out;
  out.set("general.architecture", architecture.c_str());
  auto number = [&](const char* key, std::size_t n) {
    out.set((architecture + "." + key).c_str(), static_cast<std::uint32_t>(n));
  };
  number("block_count", s.layers);
  number("embedding_length", s.d_model);
  number("feed_forward_length", s.qk_norm ? 96 : s.d_ff);  // of layers without experts, if there are any
  if (s.qk_norm) number("expert_feed_forward_length", s.d_ff);
  number("attention.head_count", s.heads);
  number("attention.head_count_kv", s.kv_heads);
  number("attention.key_length", s.head_dim);
  number("context_length", s.context);
  number("expert_count", s.experts);
  number("expert_used_count", s.experts_per_token);
  out.set((architecture + ".attention.layer_norm_rms_epsilon").c_str(), s.norm_eps);
  out.set((architecture + ".rope.freq_base").c_str(), static_cast<float>(s.rope_theta));
  const auto all = sources_of<M>(w, architecture == "llama");
  for (const source& t : all) out.add_tensor(t.name.c_str(), t.dimensions, gguf_encoding::f32);
  REQUIRE(out.write(path.c_str(), [&](std::size_t tensor, std::size_t row, float* to) {
    const source& t = all[tensor];
    std::copy(t.rows[row], t.rows[row] + t.dimensions.back(), to);
  }));
}

template <class M>
void comes_back(const char* architecture) {
  const scratch_folder folder;
  running<M> r, again;
  randomise<M>(r.weights, 0.3);
  write_experts<M>(r.weights, architecture, folder / "model.gguf");
  tensor_report report;
  const auto loaded = load_gguf<M>((folder / "model.gguf").c_str(), again.weights, &report);
  INFO(report.text);
  REQUIRE(loaded);
  const auto a = r.weights.bytes(), b = again.weights.bytes();
  CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  const auto file = gguf_file::open((folder / "model.gguf").c_str());
  REQUIRE(file);
  const auto text = gguf_config_text(*file);
  REQUIRE(text);
  const auto config = hf::config(text->c_str());
  REQUIRE(config.problem.what == hf::problem::none);
  decoder_shape::for_each_field([&](const char* name, auto field) {
    INFO(name);
    CHECK(config.shape(true).*field == M::shape.*field);
  });
}

}  // namespace

TEST_CASE("models with experts come back from GGUF files, to the bit, and so do their configs", "[io]") {
  comes_back<causal_lm<gguf_experts>>("qwen3moe");
  comes_back<causal_lm<gguf_mixtral>>("llama");
}

TEST_CASE("a GGUF file with another number of experts is refused", "[io]") {
  const scratch_folder folder;
  running<causal_lm<gguf_mixtral>> r;
  write_experts<causal_lm<gguf_mixtral>>(r.weights, "llama", folder / "model.gguf");
  running<causal_lm<fewer>> other;
  const auto loaded = load_gguf<causal_lm<fewer>>((folder / "model.gguf").c_str(), other.weights);
  REQUIRE_FALSE(loaded);
  CHECK(std::string(explain(loaded.error()).text) ==
        "ctlm: this GGUF file is of another model: llama.expert_count is 5 there and 4 here");
}

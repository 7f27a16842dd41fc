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

// GGUF files that are written here: read again, they are the same model; llama.cpp computes what ctlm computes
// (make_llama_cpp.py); what llama.cpp would compute otherwise is refused.
#include "architectures/phi3_longrope/config.hpp"
#include "architectures_golden.hpp"
#include "model/architectures.hpp"
#include "model/models.hpp"

#include <cstring>

namespace architecture_files {
CTLM_GOLDEN_MODEL(phi3_longrope, 0);
}

using namespace architectures;
using namespace models;

namespace {

/// A model of the files that transformers has made, with what llama.cpp does not have left out of its config.
#define CTLM_LLAMA_CPP_MODEL(name, folder_name, change)                  \
  struct name {                                                          \
    [[maybe_unused]] static constexpr const char* folder = #folder_name; \
    static constexpr auto config = [] {                                  \
      auto c = architecture_files::folder_name::config;                  \
      [[maybe_unused]] decoder_shape& s = c.decoder;                     \
      change;                                                            \
      return c;                                                          \
    }();                                                                 \
  }
CTLM_LLAMA_CPP_MODEL(to_gpt2, gpt2, );
CTLM_LLAMA_CPP_MODEL(to_llama, llama, );
CTLM_LLAMA_CPP_MODEL(to_llama_linear, llama_linear, );
CTLM_LLAMA_CPP_MODEL(to_llama_llama3, llama_llama3, );
CTLM_LLAMA_CPP_MODEL(own_turns, llama_yarn, );
CTLM_LLAMA_CPP_MODEL(to_llama_yarn, llama_yarn, (s.rope_fast = 32, s.rope_slow = 1, s.rope_context = 1024));
CTLM_LLAMA_CPP_MODEL(to_mistral, mistral, s.context = s.window);
CTLM_LLAMA_CPP_MODEL(to_qwen2, qwen2, );
CTLM_LLAMA_CPP_MODEL(to_qwen3, qwen3, );
CTLM_LLAMA_CPP_MODEL(to_smollm3, smollm3, );
CTLM_LLAMA_CPP_MODEL(to_phi3, phi3_partial, s.window = 0);
CTLM_LLAMA_CPP_MODEL(to_longrope, phi3_longrope, s.window = 0);
CTLM_LLAMA_CPP_MODEL(to_mixtral, mixtral, s.window = 0);
CTLM_LLAMA_CPP_MODEL(to_qwen3_moe, qwen3_moe, s.normalised_experts = true);
CTLM_LLAMA_CPP_MODEL(unscaled_llama3, llama_llama3, s.rope_scaling = rope_kind::plain);
CTLM_LLAMA_CPP_MODEL(unscaled_longrope, phi3_longrope, (s.window = 0, s.rope_scaling = rope_kind::plain));
CTLM_LLAMA_CPP_MODEL(own_shares, qwen3_moe, s.normalised_experts = false);
CTLM_LLAMA_CPP_MODEL(to_gemma, gemma, );
CTLM_LLAMA_CPP_MODEL(to_gemma2, gemma2, s.query_scale = 0.25);
CTLM_LLAMA_CPP_MODEL(to_gemma3, gemma3_text, s.query_scale = 0.25);
struct biased_llama {
  static constexpr llama_config config{
      .vocab = 23, .d_model = 16, .layers = 2, .heads = 4, .kv_heads = 2, .d_ff = 20, .context = 64, .bias = true};
};

std::string differences(const decoder_shape& a, const decoder_shape& b) {
  std::string names;
  decoder_shape::for_each_field([&](const char* name, auto field) {
    if (a.*field != b.*field) names.append(name).append(" ");
  });
  return names;
}

template <class M>
bool same_numbers(const typename M::weights& a, const typename M::weights& b) {
  return std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0;
}

template <class M>
result<void> save(const std::string& path, const typename M::weights& w, const gguf_options& o = {}) {
  return save_gguf<M>(path.c_str(), w, o);
}

std::string words_of(const result<void>& r) { return r ? "" : explain(r.error()).text; }

/// What make_llama_cpp.py checks that it reads the file which is written here.
std::vector<float> adler32(const std::string& bytes) {
  std::uint32_t a = 1, b = 0;
  for (const char c : bytes) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  return {static_cast<float>(a), static_cast<float>(b)};
}

constexpr std::size_t positions = 16;

template <class Tag>
void equals_llama_cpp(const char* name) {
  using M = causal_lm<Tag>;
  INFO(name);
  const scratch_folder scratch;
  running<M> r;
  architecture_files::load<M>(Tag::folder, r.weights);
  const char* const keep = std::getenv("CTLM_LLAMA_CPP_FILES");  // a folder for make_llama_cpp.py
  const std::string path = (keep == nullptr ? scratch.path : std::string(keep)) + "/" + name + ".gguf";
  REQUIRE(words_of(save<M>(path, r.weights)) == "");
  if (keep != nullptr) return;
  const auto file = safetensors_file::open((std::string(paths::source) + "/tests/io/llama_cpp.safetensors").c_str());
  REQUIRE(file);
  const auto numbers = [&](const std::string& key) {
    const stored_tensor* const t = file->find(key.c_str());
    REQUIRE(t != nullptr);
    std::vector<float> all(t->count());
    t->decode(0, all.size(), all.data());
    return all;
  };
  CHECK(adler32(contents_of(path)) == numbers(std::string(name) + ".bytes"));
  const std::size_t n = smaller(positions, M::shape.context);
  const auto logits = numbers(std::string(name) + ".logits");
  REQUIRE(logits.size() == n * M::shape.vocab);
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto ours = r.session.decode(static_cast<token>((7 * i + 3) % M::shape.vocab));
    for (std::size_t v = 0; v < ours.size(); ++v)
      worst = worse(worst, std::fabs(static_cast<double>(ours[v]) - static_cast<double>(logits[i * ours.size() + v])));
  }
  CHECK(worst < (M::activation_policy::name == std::string("swiglu") ? 1e-3 : 5e-3));  // its GELU is a table of halves
}

}  // namespace

TEST_CASE("llama.cpp computes what a GGUF file says that was written here", "[io]") {
  equals_llama_cpp<to_gpt2>("gpt2");
  equals_llama_cpp<to_llama>("llama");
  equals_llama_cpp<to_llama_linear>("llama_linear");
  equals_llama_cpp<to_llama_llama3>("llama_llama3");
  equals_llama_cpp<to_llama_yarn>("llama_yarn");
  equals_llama_cpp<to_mistral>("mistral");
  equals_llama_cpp<to_qwen2>("qwen2");
  equals_llama_cpp<to_qwen3>("qwen3");
  equals_llama_cpp<to_smollm3>("smollm3");
  equals_llama_cpp<to_phi3>("phi3");
  equals_llama_cpp<to_longrope>("phi3_longrope");
  equals_llama_cpp<to_mixtral>("mixtral");
  equals_llama_cpp<to_qwen3_moe>("qwen3_moe");
  equals_llama_cpp<to_gemma>("gemma");
  equals_llama_cpp<to_gemma2>("gemma2");
  equals_llama_cpp<to_gemma3>("gemma3");
}

TEMPLATE_TEST_CASE("a GGUF file that is written is the same model when it is read", "[io]", to_gpt2, to_llama,
                   to_llama_linear, to_llama_llama3, to_llama_yarn, to_qwen2, to_qwen3, to_smollm3, to_phi3,
                   to_longrope, to_mixtral, to_qwen3_moe, to_gemma, to_gemma2, to_gemma3, biased_llama, tiny_llama3) {
  using M = causal_lm<TestType>;
  const scratch_folder folder;
  running<M> r, again;
  randomise<M>(r.weights, 0.3);
  REQUIRE(words_of(save<M>(folder / "model.gguf", r.weights)) == "");
  tensor_report report;
  const auto loaded = load_gguf<M>((folder / "model.gguf").c_str(), again.weights, &report);
  INFO(report.text << words_of(loaded));
  REQUIRE(loaded);
  CHECK(same_numbers<M>(r.weights, again.weights));
  const auto file = gguf_file::open((folder / "model.gguf").c_str());
  REQUIRE(file);
  const auto text = gguf_config_text(*file);
  REQUIRE(text);
  INFO(*text);
  const auto config = hf::config(text->c_str());
  REQUIRE(config.problem.what == hf::problem::none);
  decoder_shape needed = M::shape, read = config.shape(M::activation_policy::gated);
  for (decoder_shape* s : {&needed, &read}) {  // a factor of 1 / sqrt(head_dim) may be said as 0
    if (s->query_scale == 0) s->query_scale = 1 / math::sqrt(static_cast<double>(s->head_dim));
    s->rope_theta = static_cast<float>(s->rope_theta);
    if (s->rope_scaling == rope_kind::longrope) s->rope_attention = static_cast<float>(rotary_detail::amplitude(*s));
  }
  CHECK(differences(read, needed) == "");

  REQUIRE(save<M>(folder / "again.gguf", again.weights));
  CHECK(contents_of(folder / "again.gguf") == contents_of(folder / "model.gguf"));
}

TEST_CASE("experts are read from a GGUF file that has tensors for each of them", "[io]") {
  using M = causal_lm<to_mixtral>;
  const scratch_folder folder;
  const std::string path = folder / "apart.gguf";
  running<M> r, again;
  randomise<M>(r.weights, 0.3);
  gguf_writer out;
  out.set("general.architecture", "llama");
  const tensor_names names = gguf_names(M::shape, true, false, true);
  const auto all = file_tensors(M::tensors, M::shape, names, "");
  for (const file_tensor& t : all) {
    std::size_t dimensions[3];
    for (std::size_t i = 0; i < t.rank(); ++i) dimensions[i] = t.dimension(i);
    out.add_tensor(t.name, span<const std::size_t>(dimensions, t.rank()), gguf_encoding::f32);
  }
  REQUIRE(out.write(path.c_str(), [&](std::size_t tensor, std::size_t row, float* to) {
    save_detail::put_row(r.weights, all[tensor], row, to);
  }));
  REQUIRE(gguf_file::open(path.c_str())->find("blk.1.ffn_down.3.weight") != nullptr);
  tensor_report report;
  const auto loaded = load_gguf<M>(path.c_str(), again.weights, &report);
  INFO(report.text << words_of(loaded));
  REQUIRE(loaded);
  CHECK(same_numbers<M>(r.weights, again.weights));
}

namespace {

/// What is said of a file of one model that is loaded as another, which differs in its rotary angles alone.
template <class Written, class Read>
std::string refusal_as(std::size_t changed_number = 0) {
  using M = causal_lm<Written>;
  const scratch_folder folder;
  const std::string path = folder / "model.gguf";
  running<M> r;
  running<causal_lm<Read>> again;
  randomise<M>(r.weights, 0.3);
  REQUIRE(save<M>(path, r.weights));
  if constexpr (M::shape.rope_scaling == rope_kind::longrope) {
    std::string bytes = contents_of(path);
    const float number = M::tag::config.divisors.values[changed_number];
    for (std::size_t i = 0; changed_number > 0 && i + sizeof number <= bytes.size(); ++i)
      if (std::memcmp(bytes.data() + i, &number, sizeof number) == 0)
        bytes[i + 2] = static_cast<char>(bytes[i + 2] ^ 1);
    put_contents(path, bytes);
  }
  return words_of(load_gguf<causal_lm<Read>>(path.c_str(), again.weights));
}

}  // namespace

TEST_CASE("a GGUF file whose rotary angles are scaled in another way than the config's is refused", "[io]") {
  CHECK(refusal_as<to_longrope, to_longrope>() == "");
  CHECK(refusal_as<to_llama_llama3, to_llama_llama3>() == "");
  CHECK_THAT((refusal_as<to_longrope, to_longrope>(1)), Catch::Contains("rope_factors_long.weight, and the config in"));
  CHECK_THAT((refusal_as<to_longrope, unscaled_longrope>()),
             Catch::Contains("rope_factors_short.weight, and the config"));
  CHECK_THAT((refusal_as<to_llama_llama3, unscaled_llama3>()), Catch::Contains("rope_freqs.weight, and the config in"));
}

TEST_CASE("matrices of a GGUF file are in the encoding that was asked for, within its steps", "[io]") {
  using M = causal_lm<to_qwen3>;
  const scratch_folder folder;
  running<M> r, again;
  randomise<M>(r.weights, 0.3);
  struct row {
    gguf_encoding encoding;
    const char* name;
    double step;  // of the largest number of a block
  };
  for (const row& e : {row{gguf_encoding::f16, "F16", 0.0005}, row{gguf_encoding::bf16, "BF16", 0.004},
                       row{gguf_encoding::q8_0, "Q8_0", 0.0045}, row{gguf_encoding::q4_0, "Q4_0", 0.14},
                       row{gguf_encoding::q4_1, "Q4_1", 0.07}}) {
    INFO(e.name);
    const std::string path = folder / "model.gguf";
    REQUIRE(save<M>(path, r.weights, {.encoding = e.encoding}));
    REQUIRE(load_gguf<M>(path.c_str(), again.weights));
    const auto file = gguf_file::open(path.c_str());
    CHECK(std::string(file->find("blk.0.attn_q.weight")->encoding->name) == e.name);
    CHECK(std::string(file->find("blk.0.attn_norm.weight")->encoding->name) == "F32");
    const bool blocks = e.encoding != gguf_encoding::f16 && e.encoding != gguf_encoding::bf16;
    const char* const down = file->find("blk.0.ffn_down.weight")->encoding->name;  // rows of 48 numbers
    CHECK(std::string(down) == (blocks ? "F16" : e.name));
    double worst = 0, largest = 0;
    for (const tensor_info& t : M::tensors) {
      const auto a = r.weights.numbers(t), b = again.weights.numbers(t);
      for (std::size_t i = 0; i < a.size(); ++i) {
        if (!t.is_matrix()) CHECK(a[i] == b[i]);
        worst = std::max(worst, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
        largest = std::max(largest, std::fabs(static_cast<double>(a[i])));
      }
    }
    CHECK(worst > 0);
    CHECK(worst < e.step * largest);
  }
}

TEST_CASE("weights in few bits, in 16 bits and in double precision are written to a GGUF file as numbers", "[io]") {
  const scratch_folder folder;
  const std::string path = folder / "model.gguf";
  using B = causal_lm<to_llama, weights<bf16>>;
  running<B> b, b_again;
  randomise<B>(b.weights, 0.3);
  REQUIRE(save<B>(path, b.weights, {.encoding = gguf_encoding::bf16}));
  REQUIRE(load_gguf<B>(path.c_str(), b_again.weights));
  CHECK(same_numbers<B>(b.weights, b_again.weights));

  using D = causal_lm<to_llama, weights<f64>>;
  running<D> d;
  REQUIRE(load_gguf<D>(path.c_str(), d.weights));
  REQUIRE(save<D>(folder / "double.gguf", d.weights, {.encoding = gguf_encoding::bf16}));
  CHECK(contents_of(folder / "double.gguf") == contents_of(path));

  using Q = causal_lm<to_llama, weights<int4<32>>>;
  running<Q> q, q_again;
  quantise(b.weights, q.weights);
  REQUIRE(save<Q>(path, q.weights));
  REQUIRE(load_gguf<Q>(path.c_str(), q_again.weights));
  CHECK(q.session.decode(3)[1] == Approx(q_again.session.decode(3)[1]).epsilon(0.02));
}

namespace {

template <class M>
std::string refusal() {
  running<M> r;
  const auto done = save<M>("never.gguf", r.weights);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == errc::unsupported);
  const std::string words = words_of(done),
                    beginning = "ctlm: llama.cpp would compute something else than this model, which differs in ";
  REQUIRE(words.substr(0, beginning.size()) == beginning);
  return words.substr(beginning.size());
}

}  // namespace

TEST_CASE("what llama.cpp would compute otherwise is refused", "[io]") {
  CHECK(refusal<causal_lm<tiny_mistral>>() == "a window that is shorter than the context");
  CHECK(refusal<causal_lm<tiny_phi3>>() == "a window that is shorter than the context");
  CHECK(refusal<causal_lm<tiny_smollm3>>() == "which layers do not rotate: every fourth there");
  CHECK(refusal<causal_lm<own_shares>>() == "shares of experts that are not divided by their sum");
  CHECK(refusal<causal_lm<tiny_gemma2>>() == "the scale of its scores");
  CHECK(refusal<causal_lm<tiny_llama3, activation<relu>>>() == "its parts: no architecture there has them all");
  CHECK(refusal<causal_lm<tiny_llama3, activation<geglu>>>() == "its activation");
  CHECK(refusal<causal_lm<own_turns>>() == "the turns of YaRN: 32 and 1 there");
  CHECK(refusal<causal_lm<scaled_llama<rope_kind::dynamic>>>() == "rotary angles whose base grows");
}

TEST_CASE("an encoding that is only read, and a folder that is not there, are refused when a GGUF file is written",
          "[io]") {
  using M = causal_lm<to_llama>;
  running<M> r;
  const auto only_read = save<M>("never.gguf", r.weights, {.encoding = gguf_encoding::q4_k});
  REQUIRE_FALSE(only_read);
  CHECK(only_read.error().code == errc::invalid_argument);
  CHECK(words_of(only_read) ==
        "ctlm: a model cannot be written in GGUF encoding 12: F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are");
  CHECK_FALSE(save<M>("no_folder/model.gguf", r.weights));
}

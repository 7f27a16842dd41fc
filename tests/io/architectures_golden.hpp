// Tiny models of each architecture, saved by transformers, and what transformers computes with them
// (make_architectures.py).
#pragma once

#include "architectures/gemma/config.hpp"
#include "architectures/gemma2/config.hpp"
#include "architectures/gemma3_text/config.hpp"
#include "architectures/gpt2/config.hpp"
#include "architectures/llama/config.hpp"
#include "architectures/llama_dynamic/config.hpp"
#include "architectures/llama_linear/config.hpp"
#include "architectures/llama_llama3/config.hpp"
#include "architectures/llama_yarn/config.hpp"
#include "architectures/mistral/config.hpp"
#include "architectures/mixtral/config.hpp"
#include "architectures/phi3/config.hpp"
#include "architectures/phi3_partial/config.hpp"
#include "architectures/qwen2/config.hpp"
#include "architectures/qwen3/config.hpp"
#include "architectures/qwen3_moe/config.hpp"
#include "architectures/smollm3/config.hpp"
#include "catch.hpp"
#include "paths.hpp"
#include "scratch.hpp"
#include "worse.hpp"

#include <ctlm/ctlm.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace architecture_files {

using namespace ctlm;

/// A model's tag: its folder, and what that folder's config.json says. `context`: positions, where there are to be more
/// than the config says, or 0.
#define CTLM_GOLDEN_MODEL(name, context)                                            \
  struct name {                                                                     \
    static constexpr const char* folder = #name;                                    \
    static constexpr const char* text = architecture_configs::name;                 \
    static constexpr auto config = hf::config(architecture_configs::name, context); \
  }
CTLM_GOLDEN_MODEL(gpt2, 0);
CTLM_GOLDEN_MODEL(llama, 0);
CTLM_GOLDEN_MODEL(llama_linear, 0);
CTLM_GOLDEN_MODEL(llama_dynamic, 128);
CTLM_GOLDEN_MODEL(llama_llama3, 0);
CTLM_GOLDEN_MODEL(llama_yarn, 0);
CTLM_GOLDEN_MODEL(mistral, 0);
CTLM_GOLDEN_MODEL(qwen2, 0);
CTLM_GOLDEN_MODEL(qwen3, 0);
CTLM_GOLDEN_MODEL(smollm3, 0);
CTLM_GOLDEN_MODEL(phi3, 0);
CTLM_GOLDEN_MODEL(phi3_partial, 0);
CTLM_GOLDEN_MODEL(gemma, 0);
CTLM_GOLDEN_MODEL(gemma2, 0);
CTLM_GOLDEN_MODEL(gemma3_text, 0);
CTLM_GOLDEN_MODEL(mixtral, 0);
CTLM_GOLDEN_MODEL(qwen3_moe, 0);

inline std::string path_of(const char* folder, const char* file) {
  return std::string(paths::source) + "/tests/io/architectures/" + folder + "/" + file;
}

/// Numbers of golden.safetensors.
class golden {
 public:
  explicit golden(const char* folder)
      : file_(safetensors_file::open(path_of(folder, "golden.safetensors").c_str()).value()) {}

  std::vector<float> numbers(const char* name) const {
    const stored_tensor* t = file_.find(span<const char>(std::string(name)));
    REQUIRE(t != nullptr);
    std::vector<float> all(t->count());
    t->decode(0, all.size(), all.data());
    return all;
  }
  std::vector<token> tokens(const char* name) const {
    std::vector<token> all;
    for (const float x : numbers(name)) all.push_back(static_cast<token>(x));
    return all;
  }

 private:
  safetensors_file file_;
};

/// Fills weights from a model's file.
template <class M>
void load(const char* folder, const typename M::weights& weights, const char* file = "model.safetensors") {
  tensor_report report;
  const auto done = load_safetensors<M>(path_of(folder, file).c_str(), weights, &report);
  INFO(folder << ": " << report.text);
  REQUIRE(done);
}

}  // namespace architecture_files

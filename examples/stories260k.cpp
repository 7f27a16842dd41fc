// A trained model in the format of llama2.c, quantised while it is loaded, tells a story.
//   stories260k FOLDER [PROMPT]      FOLDER holds stories260K.bin and tok512.bin (github.com/karpathy/llama2.c)
#include <ctlm/ctlm.hpp>

#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

struct stories {
  static constexpr ctlm::llama_config config{.vocab = 512,
                                             .d_model = 64,
                                             .layers = 5,
                                             .heads = 8,
                                             .kv_heads = 4,
                                             .d_ff = 172,
                                             .context = 512,
                                             .tie_embeddings = true};
};
using lm = ctlm::causal_lm<stories, ctlm::weights<ctlm::int8<32>>, ctlm::kv_cache<ctlm::f16>>;

int main(int argc, char** argv) try {
  if (argc < 2) return std::fprintf(stderr, "usage: stories260k FOLDER [PROMPT]\n"), 2;
  const std::string folder = argv[1], prompt = argc > 2 ? argv[2] : "Once upon a time";
  if (!std::ifstream(folder + "/stories260K.bin"))
    return std::fprintf(stderr, "skipped: %s holds no stories260K.bin\n", folder.c_str()), 77;

  ctlm::heap_arena memory(lm::weight_bytes + lm::session_bytes);
  lm::weights weights(memory);
  const auto loaded = ctlm::load_llama2c<lm>((folder + "/stories260K.bin").c_str(), weights);
  const auto tokenizer = ctlm::llama2c_tokenizer::load((folder + "/tok512.bin").c_str(), lm::shape.vocab);
  for (const ctlm::failure& f : {loaded.error(), tokenizer.error()})
    if (f.code != ctlm::errc::ok) return std::fprintf(stderr, "%s\n", ctlm::explain(f).text), 1;

  lm::session session(weights, memory);
  ctlm::sampler sampler{.temperature = 0.8f, .top_p = 0.9f, .seed = 1, .stop = ctlm::llama2c_tokenizer::bos};
  std::printf("%s", prompt.c_str());
  const auto tokens = tokenizer->encode(prompt);
  ctlm::generate(session, tokens, sampler, 120, [&, previous = tokens.back()](ctlm::token t) mutable {
    std::printf("%s", tokenizer->piece(previous, t).c_str());
    previous = t;
  });
  std::printf("\n");
} catch (const std::exception& e) {  // a prompt that is longer than the context; no memory
  return std::fprintf(stderr, "%s\n", e.what()), 1;
}

// Packs stories260K for a microcontroller, in two formats: a flash image and a header each.
//   pack_stories stories260K.bin FOLDER
#include <ctlm/ctlm.hpp>

#include <cstdio>
#include <string>

struct stories {
  static constexpr ctlm::llama_config config{.vocab = 512,
                                             .d_model = 64,
                                             .layers = 5,
                                             .heads = 8,
                                             .kv_heads = 4,
                                             .d_ff = 172,
                                             .context = 128,
                                             .tie_embeddings = true};
};

template <class Format>
ctlm::result<void> pack(const char* file, const std::string& folder, const std::string& name) {
  using lm = ctlm::causal_lm<stories, ctlm::weights<Format>>;
  ctlm::heap_arena memory(lm::weight_bytes);
  typename lm::weights weights(memory);
  if (const auto r = ctlm::load_llama2c<lm>(file, weights); !r) return r.error();
  if (const auto r = ctlm::write_image<lm>((folder + "/" + name + ".ctlm").c_str(), weights); !r) return r;
  return ctlm::write_model_header<lm>((folder + "/" + name + ".hpp").c_str(), name);
}

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: pack_stories stories260K.bin FOLDER\n"), 2;
  for (const auto& packed :
       {pack<ctlm::int8<32>>(argv[1], argv[2], "stories_int8"), pack<ctlm::int4<32>>(argv[1], argv[2], "stories_int4")})
    if (!packed) return std::fprintf(stderr, "pack_stories: %s\n", ctlm::explain(packed.error()).text), 1;
}

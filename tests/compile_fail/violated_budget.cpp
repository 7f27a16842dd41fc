// expect: session must fit SRAM
#include <ctlm/ctlm.hpp>

#ifdef CTLM_EXPECT_FAIL
inline constexpr std::size_t budget = 8 * 1024;
#else
inline constexpr std::size_t budget = 96 * 1024;
#endif

struct tiny_stories {
  static constexpr ctlm::llama_config config{.vocab = 512,
                                             .d_model = 64,
                                             .layers = 5,
                                             .heads = 8,
                                             .kv_heads = 4,
                                             .d_ff = 172,
                                             .context = 128,
                                             .tie_embeddings = true};
};
using lm = ctlm::causal_lm<tiny_stories, ctlm::weights<ctlm::int4<32>>, ctlm::kv_cache<ctlm::int8<32>>>;
static_assert(lm::weight_bytes <= 256 * 1024, "weights must fit the flash partition");
static_assert(lm::session_bytes <= budget, "session must fit SRAM");

// Decoding behind many tokens, by how keys and values are stored.
#pragma once

#include "models.hpp"

/// The member of a session that says where it stands. Sessions have no function that sets it, and taking 32,768 tokens
/// takes minutes; but an explicit instantiation may name a private member.
template <class Session>
inline std::size_t Session::*position_member = nullptr;
template <class Session, std::size_t Session::*Position>
struct opened {
  static inline const bool done = (position_member<Session> = Position, true);
};

constexpr std::size_t far_context = 32768 + 64;
template <class Cache>
using far_decoder = ctlm::causal_lm<shapes::llama_135m_long<far_context>, ctlm::weights<ctlm::int4<32>>,
                                    ctlm::threads<workers>, ctlm::prompt_chunk<128>, ctlm::kv_cache<Cache>>;
template <class Cache>
using far_session = ctlm::basic_session<far_decoder<Cache>>;

using few_bits = ctlm::int4<32, ctlm::asymmetric>;
using few_rotated = ctlm::rotated<few_bits>;
using few_recent = ctlm::rotated<ctlm::recent<few_bits>>;
using two_formats = ctlm::key_value<ctlm::int8<>, few_bits>;
template struct opened<far_session<ctlm::int8<>>, &far_session<ctlm::int8<>>::position_>;
template struct opened<far_session<ctlm::f32>, &far_session<ctlm::f32>::position_>;
template struct opened<far_session<ctlm::f16>, &far_session<ctlm::f16>::position_>;
template struct opened<far_session<ctlm::bf16>, &far_session<ctlm::bf16>::position_>;
template struct opened<far_session<few_bits>, &far_session<few_bits>::position_>;
template struct opened<far_session<few_rotated>, &far_session<few_rotated>::position_>;
template struct opened<far_session<few_recent>, &far_session<few_recent>::position_>;
template struct opened<far_session<two_formats>, &far_session<two_formats>::position_>;

/// Sessions with one thread and with two that share weights and a cache.
template <class Cache>
class far_model {
  using M = far_decoder<Cache>;

 public:
  far_model(workers& one, workers& two) : exec_{&one, &two} {
    bench::fill_weights(weights_);
    for (std::size_t t = 0; t < 2; ++t) {
      ctlm::span_arena cache(ctlm::span<std::byte>(cache_, M::cache_bytes));
      session_[t] = std::make_unique<far_session<Cache>>(weights_, memory_, cache, *exec_[t]);
    }
    // Small numbers, whatever the format: 3e-12 in 32 bits, 0.06 to 0.12 in 16, 44 to 47 in 8.
    for (std::size_t i = 0; i < M::cache_bytes; ++i) cache_[i] = static_cast<std::byte>(0x2C | (i * 7 >> 3 & 3));
  }
  /// Decodes `count` tokens behind `before` others.
  void decode(std::size_t t, std::size_t before, ctlm::token count) {
    (*session_[t]).*position_member<far_session<Cache>> = before;
    for (ctlm::token i = 0; i < count; ++i) session_[t]->decode(i + 1);
  }
  /// Bytes that a token reads then.
  static constexpr std::size_t bytes_behind(std::size_t before) {
    return M::weight_bytes + M::cache_bytes / far_context * before;
  }

 private:
  workers* exec_[2];
  ctlm::heap_arena memory_{M::weight_bytes + 2 * (M::session_bytes - M::cache_bytes)}, cache_memory_{M::cache_bytes};
  std::byte* cache_ = cache_memory_.allocate<std::byte>(M::cache_bytes);
  typename M::weights weights_{memory_};
  std::unique_ptr<far_session<Cache>> session_[2];
};

/// Tokens a second behind 4,096 tokens and behind 32,768. The share is that of the rate at which weights and what is in
/// the cache could be read.
template <class Cache>
void decode_far(bench::report& r, const machine& limits, workers& one, workers& two, const std::string& name) {
  far_model<Cache> model(one, two);
  for (const std::size_t before : {4096, 32768}) {
    const ctlm::token count = before > 4096 ? 2 : 8;
    const auto tokens = [&](std::size_t t) { return [&, t] { model.decode(t, before, count); }; };
    const auto rate = bench::rates(
        {{"", tokens(0), static_cast<double>(count)}, {"", tokens(1), static_cast<double>(count)}}, 0.05, 3);
    for (std::size_t t = 0; t < 2; ++t)
      r.line("Llama 135M, " + std::string(before > 4096 ? "32,768" : "4,096") + " tokens before, cache " + name +
                 threads_text(t + 1),
             rate[t], "tokens/s",
             rate[t] * static_cast<double>(model.bytes_behind(before)) / limits.read(t, model.bytes_behind(before)),
             "read rate");
  }
}

template <class Named>
void cache_rows(bench::report& r, const machine& limits, workers& one, workers& two, const Named& named) {
  r.title("decoding, int4<32>, by how keys and values are stored");
  const auto row = [&]<class Cache>(std::type_identity<Cache>, const std::string& name) {
    if (named("Llama 135M, cache " + name)) decode_far<Cache>(r, limits, one, two, name);
  };
  row(std::type_identity<ctlm::int8<>>{}, "int8<>");
  row(std::type_identity<ctlm::f32>{}, "f32");
  row(std::type_identity<ctlm::f16>{}, "f16");
  row(std::type_identity<ctlm::bf16>{}, "bf16");
  row(std::type_identity<few_bits>{}, "int4<32, asymmetric>");
  row(std::type_identity<few_rotated>{}, "rotated<int4<32, asymmetric>>");
  row(std::type_identity<few_recent>{}, "rotated<recent<int4<32, asymmetric>>>");
  row(std::type_identity<two_formats>{}, "key_value<int8<>, int4<32, asymmetric>>");
}

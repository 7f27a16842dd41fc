// SPDX-License-Identifier: MIT
// ctlm: the weights of a head that has its own: views of one stretch of the caller's memory.
#pragma once

#include "../core/rng.hpp"
#include "../core/span.hpp"
#include "../memory/plan.hpp"
#include "../policy/head/sequence_head.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// The tensors of head H over vectors of D numbers, in numbers T: of arithmetic, whatever the model is stored in.
template <sequence_head H, std::size_t D, class T>
class basic_head_weights {
 public:
  using head = H;                                         ///< whose weights
  using real = T;                                         ///< their numbers
  static constexpr std::size_t d = D;                     ///< numbers of a vector
  static constexpr head_tensors tensors = H::tensors(D);  ///< the tensors
  static constexpr std::size_t count = tensors.size();    ///< how many there are
  static_assert(count > 0, "ctlm: a head with weights of its own has at least one tensor");

  constexpr basic_head_weights() = default;
  /// Places the tensors in an arena, one after the other; the memory is zeroed. Raises errc::out_of_memory where there
  /// is no room for bytes_needed().
  template <arena A>
  constexpr explicit basic_head_weights(A& a) {
    require_room<bytes_needed()>(a, "weights of the head");
    place(a);
  }
  /// Weights that are already there, as bytes() has them. Nothing is copied. Errors: errc::wrong_model (not
  /// bytes_needed() of them), invalid_argument (not aligned to memory_alignment).
  static result<basic_head_weights> bind(span<std::byte> blob) {
    constexpr std::size_t needed = bytes_needed();
    if (blob.size() != needed)
      return failure{
          errc::wrong_model,
          "ctlm: these bytes are not the weights of this head: it has {needed} bytes of them, here are {had}",
          blob.size(), needed, blob.size()};
    const std::size_t beyond = reinterpret_cast<std::uintptr_t>(blob.data()) % memory_alignment;
    if (beyond != 0)
      return failure{errc::invalid_argument,
                     "ctlm: weights of a head must be aligned to {needed} bytes, and they begin {had} bytes after such "
                     "a place",
                     0, memory_alignment, beyond};
    basic_head_weights w;
    binding_arena<std::byte> a(blob.data(), blob.size());
    w.place(a);
    return w;
  }

  /// Exact bytes of all tensors, padding included.
  static constexpr std::size_t bytes_needed() {
    return measure([](auto& a) { basic_head_weights().place(a); });
  }
  /// All of them: what a file may keep.
  span<std::byte> bytes() const {
    constexpr std::size_t needed = bytes_needed();
    return {reinterpret_cast<std::byte*>(numbers_[0]), needed};
  }
  /// The numbers of tensor number i.
  constexpr span<T> operator[](std::size_t i) const { return {numbers_[i], tensors[i].size()}; }
  /// As the head takes them.
  constexpr const head_numbers<T>& numbers() const { return numbers_; }

  /// Draws matrices with the deviation of a model's (GPT-2's: 0.02); all else begins with zeros.
  constexpr void begin(std::uint64_t seed, double deviation = 0.02) const {
    rng random{mix(seed)};
    for (std::size_t i = 0; i < count; ++i)
      for (T& x : (*this)[i]) x = tensors[i].is_matrix ? static_cast<T>(random.normal() * deviation) : T(0);
  }

  /// Asks an arena for the memory of all tensors.
  template <class A>
  constexpr void place(A& a) {
    for (std::size_t i = 0; i < count; ++i) numbers_.data[i] = a.template allocate<T>(tensors[i].size());
  }

 private:
  head_numbers<T> numbers_{};
};

/// The weights of head H beside a model M: `head_weights<lm, classification<3>> h{arena}`.
template <class M, sequence_head H>
using head_weights = basic_head_weights<H, M::shape.d_model, typename M::real>;

}}  // namespace ctlm

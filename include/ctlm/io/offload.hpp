// SPDX-License-Identifier: MIT
// ctlm: weights that stay on the disk. A flash image (io/pack.hpp) is read layer by layer, by a thread of its own that
// runs ahead of the session; the budget is a constant of the model, and so is what fits in it.
//
//   using lm = ctlm::causal_lm<tag, ctlm::weights<ctlm::int8<32>>, ctlm::memory<ctlm::offloaded<256 << 20>>>;
//   ctlm::heap_arena memory(ctlm::offloaded_weights<lm>::bytes_needed() + lm::session_bytes);
//   ctlm::offloaded_weights<lm> weights(memory);
//   weights.open("model.ctlm").value();
//   lm::session session(weights, memory);
//
// Always in memory are the tensors that belong to no layer (embeddings, head, last norm) and as many of the first
// layers as the budget holds; the others take turns in two or three buffers.
#pragma once

#include "../memory/plan.hpp"
#include "../model/flash_image.hpp"
#include "file.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#if CTLM_EXCEPTIONS
#include <system_error>
#endif

namespace ctlm { inline namespace CTLM_ABI {

/// Through the system's cache, or past it. Past it, the disk is read at its own pace and nothing else is displaced;
/// not every file system can (tmpfs cannot).
enum class file_access : std::uint8_t { buffered, direct };

namespace offload_detail {

/// Direct reads begin and end at multiples of this, in the file and in memory.
inline constexpr std::size_t page = 4096;

inline constexpr const char* no_direct_reads = "ctlm: this file system has no direct reads: use file_access::buffered";

/// Room for a stretch of the file, wherever in a page it begins.
constexpr std::size_t window_bytes(std::size_t bytes) { return bytes == 0 ? 0 : round_up(bytes, page) + page; }

}  // namespace offload_detail

template <class M>
class offloaded_weights {
  using F = typename M::weights::format;
  using real = typename M::real;
  using views = typename M::const_weights;
  static constexpr decoder_shape shape = M::shape;
  static constexpr std::size_t budget = M::memory_policy::budget;

  /// Of the tensors of one layer, or of those that belong to none: in the file, or with room for whole pages.
  static constexpr std::size_t bytes_of(bool of_layer, bool windows) {
    std::size_t total = 0;
    auto add = [&](auto*, std::size_t bytes) { total += windows ? offload_detail::window_bytes(bytes) : bytes; };
    for (const tensor_info& t : M::tensors) {
      if (t.is_of_layer() != of_layer) continue;
      measuring_arena nothing;
      auto m = F::place(nothing, t.rows, t.cols);
      if (t.is_matrix())
        F::for_each_part(m, add);
      else
        add(static_cast<real*>(nullptr), t.rows * t.cols * sizeof(real));
    }
    return total;
  }
  static constexpr std::size_t common_bytes = bytes_of(false, true), layer_bytes = bytes_of(true, true);
  static constexpr std::size_t rest = budget - smaller(budget, common_bytes + offload_detail::page);
  static constexpr std::size_t fitting = rest / layer_bytes;
  static_assert(fitting >= smaller(2, shape.layers),
                "ctlm: offloaded<bytes> is too small: it must hold the embeddings, the head and two layers");

 public:
  /// Buffers in which layers take turns, and layers that stay.
  static constexpr std::size_t buffers = fitting >= shape.layers ? 0 : smaller(3, fitting);
  static constexpr std::size_t layers_kept = smaller(shape.layers, fitting - buffers);
  /// Bytes that each pass through the layers, one token's or one prompt chunk's, reads from the file.
  static constexpr std::size_t streamed_bytes = (shape.layers - layers_kept) * bytes_of(true, false);
  /// Exact bytes of the arena; at most the budget.
  static constexpr std::size_t bytes_needed() {
    return common_bytes + (layers_kept + buffers) * layer_bytes + offload_detail::page;
  }

  template <arena A>
  explicit offloaded_weights(A& a) {
    require_room<bytes_needed()>(a, "offloaded weights");
    auto* p = a.template allocate<std::byte>(bytes_needed());
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    memory_ = p + (round_up(address, offload_detail::page) - address);
  }
  offloaded_weights(const offloaded_weights&) = delete;
  offloaded_weights& operator=(const offloaded_weights&) = delete;
  ~offloaded_weights() { stop(); }

  /// Checks the image, reads what stays in memory and begins to read ahead. The checksum is not compared: that would
  /// read the whole file. May be called again, for this file or another, while no session computes; after a failure
  /// nothing is open, and whatever asks for weights raises a failure.
  result<void> open(const char* path, file_access access = file_access::buffered) {
    stop();
    file_.close();
    result<void> r = open_file(path, access);
    if (r) r = check_file();
    if (r) r = read_tensors(common_, false, 0, memory_);
    for (std::size_t l = 0; r && l < layers_kept; ++l)
      r = read_tensors(kept_[l], true, l, memory_ + common_bytes + l * layer_bytes);
    if constexpr (buffers > 0)
      if (r) r = start();
    if (!r) file_.close();
    return r;
  }

  /// The tensors that belong to no layer.
  const views& common() const {
    require_open();
    return common_;
  }

  /// Waits for a layer; it stays until done(l). Layers are asked for in order. Throws ctlm::error if it could not be
  /// read.
  const views& layer(std::size_t l) {
    require_open();
    check(l < shape.layers, failure{errc::invalid_argument, "ctlm: layer {needed} was asked for, of {had} in the model",
                                    0, l, shape.layers});
    if (l < layers_kept) return kept_[l];
    std::unique_lock lock(mutex_);
    while (layer_of(used_) != l) {  // a forward pass was broken off: what it did not use is skipped
      arrived_.wait(lock, [&] { return read_ > used_ || failure_.code != errc::ok; });
      if (failure_.code != errc::ok) break;
      ++used_;
      freed_.notify_one();
    }
    arrived_.wait(lock, [&] { return read_ > used_ || failure_.code != errc::ok; });
    if (read_ <= used_) raise(failure_);
    return turning_[used_ % slots];
  }
  void done(std::size_t l) {
    if (l < layers_kept) return;
    const std::lock_guard lock(mutex_);
    ++used_;
    freed_.notify_one();
  }

 private:
  static constexpr std::size_t turning_layers = larger(1, shape.layers - layers_kept);
  static constexpr std::size_t slots = larger(1, buffers);
  static constexpr std::size_t layer_of(std::size_t sequence) { return layers_kept + sequence % turning_layers; }

  void require_open() const {
    check(static_cast<bool>(file_), errc::invalid_argument,
          "ctlm: offloaded weights must be opened first, and open() must succeed");
  }

  result<void> open_file(const char* path, file_access access) {
    direct_ = access == file_access::direct;
#ifdef O_DIRECT
    auto f = open_to_read(path, direct_ ? O_DIRECT : 0);
    if (!f && direct_ && f.error().where == EINVAL) return failure{errc::unsupported, offload_detail::no_direct_reads};
#else
    if (direct_) return failure{errc::unsupported, offload_detail::no_direct_reads};
    auto f = open_to_read(path);
#endif
    if (!f) return f.error();
    file_ = static_cast<file_handle&&>(*f);
    return {};
  }

  result<void> check_file() {
    const auto size = file_size(file_.get());
    if (!size) return size.error();
    alignas(offload_detail::page) std::byte first[offload_detail::page];
    auto cut_off = [&](std::size_t needed) {
      return failure{errc::truncated, "ctlm: this flash image is cut off: it needs {needed} bytes and has {had}", *size,
                     needed, *size};
    };
    if (*size < sizeof(image_header)) return cut_off(sizeof(image_header));
    if (const auto r = read_window(first, 0, sizeof(image_header), "header"); !r) return r;
    image_header h;
    __builtin_memcpy(&h, first, sizeof h);
    if (const auto r = check_image_header<M>(h); !r) return r;
    if (*size - sizeof h < M::weight_bytes) return cut_off(sizeof h + M::weight_bytes);
    return {};
  }

  /// Reads the tensors of one layer, or those that belong to none, to `to`, and makes views of them.
  result<void> read_tensors(views& v, bool of_layer, std::size_t layer, std::byte* to) const {
    // Where everything would lie if the file were in memory, from address `page` on.
    // NOLINTNEXTLINE(performance-no-int-to-ptr): nothing is there, and nothing is read
    const auto* const base = reinterpret_cast<const std::byte*>(offload_detail::page);
    binding_arena<const std::byte> file_arena(base, M::weight_bytes);
    views whole;
    whole.place(file_arena);
    result<void> failed;
    const char* name = "";
    auto fetch = [&](auto*& p, std::size_t bytes) {
      if (!failed || bytes == 0) return;
      const std::size_t offset =
          sizeof(image_header) + static_cast<std::size_t>(reinterpret_cast<const std::byte*>(p) - base);
      const std::size_t lead = offset % offload_detail::page;
      failed = read_window(to, offset - lead, lead + bytes, name);
      p = reinterpret_cast<std::remove_reference_t<decltype(p)>>(to + lead);
      to += offload_detail::window_bytes(bytes);
    };
    v = views();
    v.begin_with(layer);
    for (const tensor_info& t : M::tensors) {
      if (t.is_of_layer() != of_layer) continue;
      name = t.name;
      if (t.is_matrix()) {
        auto m = whole.matrix_of(t.id, layer);
        F::for_each_part(m, fetch);
        v.put(t.id, m);
      } else {
        const real* p = whole.vector_of(t.id, layer);
        fetch(p, t.rows * t.cols * sizeof(real));
        v.put(t.id, p);
      }
    }
    return failed;
  }

  /// Reads at `offset` until the first `bytes` are there, in whole pages; the last page of a file may be short. A
  /// direct read must begin at a page, so that what follows a short one reads its last page again; if nothing is new
  /// then, the file ends there.
  result<void> read_window(std::byte* to, std::size_t offset, std::size_t bytes, const char* name) const {
    const std::size_t room = round_up(bytes, offload_detail::page);
    std::size_t got = 0;
    while (got < bytes) {
      const std::size_t at = direct_ ? got - got % offload_detail::page : got;
      const std::size_t part = smaller(room - at, file_detail::most_per_call);
      const ssize_t n = uninterrupted(
          [&] { return system_calls::read_at(file_.get(), to + at, part, static_cast<off_t>(offset + at)); });
      if (n < 0)
        return system_failure(
            "ctlm: offloaded weights could not be read (system error {where}): {had} of {needed} "
            "bytes were",
            bytes, got);
      const std::size_t end = at + static_cast<std::size_t>(n);
      if (end <= got)
        return failure{errc::truncated,
                       "ctlm: offloaded weights end too early: {name} needs {needed} bytes at byte {where}, {had} are "
                       "there",
                       offset,
                       bytes,
                       got,
                       name};
      got = end;
    }
    return {};
  }

  /// Starts to read ahead.
  result<void> start() {
    failure_ = {};
    stopping_ = false;
    read_ = used_ = 0;
#if CTLM_EXCEPTIONS
    try {
      reader_ = std::thread([this] { read_ahead(); });
    } catch (const std::system_error& e) {
      return failure{errc::io_error, "ctlm: no thread could be started to read weights ahead (system error {where})",
                     static_cast<std::size_t>(e.code().value())};
    }
#else
    reader_ = std::thread([this] { read_ahead(); });
#endif
    return {};
  }

  void read_ahead() {
    for (std::size_t next = 0;; ++next) {
      {
        std::unique_lock lock(mutex_);
        freed_.wait(lock, [&] { return stopping_ || next < used_ + buffers; });
        if (stopping_) return;
      }
      const std::size_t slot = next % slots;
      const auto r = read_tensors(turning_[slot], true, layer_of(next),
                                  memory_ + common_bytes + (layers_kept + slot) * layer_bytes);
      const std::lock_guard lock(mutex_);
      if (r)
        read_ = next + 1;
      else
        failure_ = r.error();
      arrived_.notify_one();
      if (!r) return;
    }
  }

  void stop() {
    if (!reader_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      freed_.notify_one();
    }
    reader_.join();
  }

  std::byte* memory_ = nullptr;
  file_handle file_;
  bool direct_ = false;
  views common_{};
  views kept_[larger(1, layers_kept)]{};
  views turning_[slots]{};
  std::thread reader_;
  std::mutex mutex_;
  std::condition_variable arrived_, freed_;
  std::size_t read_ = 0;  // layers that arrived so far
  std::size_t used_ = 0;  // layers that the session is done with
  bool stopping_ = false;
  failure failure_{};
};

}}  // namespace ctlm

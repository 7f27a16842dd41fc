// SPDX-License-Identifier: MIT
// ctlm: weights that stay on the disk. A thread reads a flash image (io/pack.hpp) layer by layer, and is a layer or two
// ahead of the session that computes with them. The budget is a constant of the model, and so is what fits in it.
//
//   using lm = ctlm::causal_lm<tag, ctlm::weights<ctlm::int8<32>>, ctlm::memory<ctlm::offloaded<256 << 20>>>;
//   ctlm::heap_arena memory(ctlm::offloaded_weights<lm>::bytes_needed() + lm::session_bytes);
//   ctlm::offloaded_weights<lm> weights(memory);
//   weights.open("model.ctlm").value();
//   lm::session session(weights, memory);
//
// What happens: open() reads the tensors that belong to no layer (embeddings, head, last norm) and as many of the first
// layers as the budget has room for; these stay in memory. For the other layers there are two or three buffers. The
// thread reads one layer after the other into the next free buffer; the session computes with a layer and then frees
// its buffer. After the last layer the thread goes on with the first of them, for the next token. Experts are read when
// a token takes them (offloaded_experts.hpp).
#pragma once

#include "offloaded_experts.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#if CTLM_EXCEPTIONS
#include <system_error>
#endif

namespace ctlm { inline namespace CTLM_ABI {

/// The weights of a model with memory<offloaded<bytes>>: a session takes them instead of weights in memory. Only one
/// session at a time may use them.
template <class M>
class offloaded_weights {
  using F = typename M::weights::format;
  using real = typename M::real;
  using experts_type = offloaded_experts<M>;
  using views = typename experts_type::layer_views;
  static constexpr decoder_shape shape = M::shape;
  static constexpr std::size_t budget = M::memory_policy::budget;

  /// Bytes of the tensors of one layer (of_layer), or of those that belong to no layer: as the file has them, or in
  /// memory with room for the whole pages around them (windows).
  static constexpr std::size_t bytes_of(bool of_layer, bool windows, std::size_t layer) {
    std::size_t total = 0;
    auto add = [&](auto*, std::size_t bytes) { total += windows ? offload_detail::window_bytes(bytes) : bytes; };
    for (const tensor_info& t : M::tensors) {
      if (t.is_of_layer() != of_layer || offload_detail::is_of_experts(shape, t)) continue;
      measuring_arena nothing;
      if (t.is_matrix()) {
        auto m = views::place_matrix(nothing, t, 1, layer);
        F::for_each_part(m, add);
      } else {
        add(static_cast<real*>(nullptr), t.rows * t.cols * sizeof(real));
      }
    }
    return total;
  }
  /// Bytes of all layers from this one on, as the file has them.
  static constexpr std::size_t bytes_from(std::size_t layer) {
    std::size_t total = 0;
    for (; layer < shape.layers; ++layer) total += bytes_of(true, false, layer);
    return total;
  }
  /// In memory, of the largest layer: their formats may differ.
  static constexpr std::size_t largest_layer() {
    std::size_t most = 0;
    for (std::size_t l = 0; l < shape.layers; ++l) most = larger(most, bytes_of(true, true, l));
    return most;
  }
  static constexpr std::size_t common_bytes = bytes_of(false, true, 0), layer_bytes = largest_layer();
  static constexpr std::size_t rest = budget - smaller(budget, common_bytes + offload_detail::page);
  static constexpr std::size_t least_experts = experts_type::bytes_needed(shape.experts_per_token);
  static constexpr std::size_t fitting = (rest - smaller(rest, least_experts)) / layer_bytes;
  static_assert(fitting >= smaller(2, shape.layers),
                "ctlm: offloaded<bytes> is too small: it must hold the embeddings, the head and two layers, and of a "
                "model with experts those that a token takes in one layer");

  /// The most experts that fit beside the layers.
  static constexpr std::size_t fitting_experts([[maybe_unused]] std::size_t room) {
    std::size_t n = 0;
    if constexpr (experts_type::any) {
      const std::size_t fixed = experts_type::bytes_needed(0);
      if (room < fixed) return 0;
      n = (room - fixed) / (experts_type::bytes_needed(1) - fixed);
      while (experts_type::bytes_needed(n + 1) <= room) ++n;
      while (experts_type::bytes_needed(n) > room) --n;
    }
    return smaller(n, shape.layers * shape.experts);
  }

 public:
  /// How many buffers there are for the layers that do not stay in memory; 0 if all stay.
  static constexpr std::size_t buffers = fitting >= shape.layers ? 0 : smaller(3, fitting);
  /// The first layers, which are read once and stay in memory.
  static constexpr std::size_t layers_kept = smaller(shape.layers, fitting - buffers);
  /// How many experts, of all layers, are in memory: those used last. The others are read when a token takes them.
  static constexpr std::size_t experts_kept =
      fitting_experts(rest - smaller(rest, (layers_kept + buffers) * layer_bytes));
  /// Bytes of one expert in the file.
  static constexpr std::size_t expert_bytes = experts_type::bytes_of_one(false);
  /// Bytes that each pass through the layers reads from the file, experts apart. A pass takes one token, or one chunk
  /// of a prompt.
  static constexpr std::size_t streamed_bytes = bytes_from(layers_kept);
  /// Exact bytes of the arena; at most the budget.
  static constexpr std::size_t bytes_needed() {
    return common_bytes + (layers_kept + buffers) * layer_bytes + offload_detail::page +
           experts_type::bytes_needed(experts_kept);
  }

  /// Takes bytes_needed() of an arena, whose memory must outlive it. Throws ctlm::error, or calls ctlm::fatal, when the
  /// arena is too small. Nothing is read before open().
  template <arena A>
  explicit offloaded_weights(A& a) {
    require_room<bytes_needed()>(a, "offloaded weights");
    constexpr std::size_t layers = common_bytes + (layers_kept + buffers) * layer_bytes;
    auto* p =
        a.template allocate<std::byte>(layers + experts_kept * experts_type::bytes_of_one(true) + offload_detail::page);
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    memory_ = p + (round_up(address, offload_detail::page) - address);
    experts_.place(a, experts_kept, memory_ + layers);
  }
  offloaded_weights(const offloaded_weights&) = delete;
  offloaded_weights& operator=(const offloaded_weights&) = delete;
  ~offloaded_weights() { stop(); }

  /// Checks the header, reads what stays in memory, and starts the thread that reads the other layers ahead. The
  /// checksum is not compared: that would read the whole file. May be called again, for this file or another, while no
  /// session computes; after a failure nothing is open, and whatever asks for weights raises a failure. Errors: those
  /// of check_image_header; errc::not_found, io_error, truncated, unsupported (direct reads where there are none).
  result<void> open(const char* path, file_access access = file_access::buffered) {
    stop();
    experts_.clear();
    result<void> r = file_.open(path, access);
    if (r) r = read_tensors(common_, false, 0, memory_);
    for (std::size_t l = 0; r && l < layers_kept; ++l)
      r = read_tensors(kept_[l], true, l, memory_ + common_bytes + l * layer_bytes);
    if constexpr (buffers > 0)
      if (r) r = start();
    if (!r) file_.close();
    return r;
  }

  /// Bytes that were read from files so far.
  std::size_t bytes_read() const { return file_.bytes_read(); }

  /// The tensors that belong to no layer. Raises errc::invalid_argument before open().
  const views& common() const {
    require_open();
    return common_;
  }

  /// The weights of layer l, which stay until done(l); waits until they have been read. A session asks for the layers
  /// in order, again and again. Throws ctlm::error if a layer could not be read.
  const views& layer(std::size_t l) {
    require_open();
    check(l < shape.layers, failure{errc::invalid_argument, "ctlm: layer {needed} was asked for, of {had} in the model",
                                    0, l, shape.layers});
    if (l < layers_kept) return kept_[l];
    std::unique_lock lock(mutex_);
    while (layer_of(used_) != l) {  // an error ended the pass before: skip the layers that it did not use
      arrived_.wait(lock, [&] { return read_ > used_ || failure_.code != errc::ok; });
      if (failure_.code != errc::ok) break;
      ++used_;
      freed_.notify_one();
    }
    arrived_.wait(lock, [&] { return read_ > used_ || failure_.code != errc::ok; });
    if (read_ <= used_) raise(failure_);
    return turning_[used_ % slots];
  }
  /// Says that layer l is not needed any more in this pass: its buffer is free for the next layer to be read.
  void done(std::size_t l) {
    if (l < layers_kept) return;
    const std::lock_guard lock(mutex_);
    ++used_;
    freed_.notify_one();
  }

 private:
  /// Layers that are read again and again, in this order: number n of all layers that the thread ever reads is
  /// layer_of(n), and lies in buffer n % slots.
  static constexpr std::size_t turning_layers = larger(1, shape.layers - layers_kept);
  static constexpr std::size_t slots = larger(1, buffers);
  static constexpr std::size_t layer_of(std::size_t sequence) { return layers_kept + sequence % turning_layers; }

  void require_open() const {
    check(static_cast<bool>(file_), errc::invalid_argument,
          "ctlm: offloaded weights must be opened first, and open() must succeed");
  }

  /// Reads the tensors of one layer, or those that belong to none, into memory from `to` on, and makes views of them.
  result<void> read_tensors(views& v, bool of_layer, std::size_t layer, std::byte* to) {
    using file = offloaded_file<M>;
    result<void> failed;
    v = views();
    v.begin_with(layer);
    if constexpr (experts_type::any) experts_.attach(file_, v);
    for (const tensor_info& t : M::tensors) {
      if (t.is_of_layer() != of_layer || offload_detail::is_of_experts(shape, t)) continue;
      auto fetch = [&](auto*& p, std::size_t bytes) {
        if (failed) failed = file_.read(p, bytes, to, t.name);
        to = file::locate(p, bytes, to);
      };
      if (t.is_matrix()) {
        auto m = file_.layout().matrix_of(t.id, layer);
        F::for_each_part(m, fetch);
        v.put(t.id, m);
      } else {
        const real* p = file_.layout().vector_of(t.id, layer);
        fetch(p, t.rows * t.cols * sizeof(real));
        v.put(t.id, p);
      }
    }
    return failed;
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

  /// What the thread does until it is told to stop: it waits for a free buffer, reads the next layer into it, and says
  /// that the layer is there. A failed read ends the thread, and the session that waits for this layer gets the
  /// failure.
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
  offloaded_file<M> file_;
  experts_type experts_{};
  views common_{};
  views kept_[larger(1, layers_kept)]{};
  views turning_[slots]{};
  std::thread reader_;
  std::mutex mutex_;
  std::condition_variable arrived_, freed_;
  std::size_t read_ = 0;  // layers that have been read since start()
  std::size_t used_ = 0;  // of these, layers that the session is done with
  bool stopping_ = false;
  failure failure_{};
};

}}  // namespace ctlm

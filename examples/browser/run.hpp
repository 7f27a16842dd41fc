// What a run of the page is, whatever the model: the interface that module.cpp exports and here.cpp tests.
#pragma once

#include "models.hpp"
#include "page_sampler.hpp"

namespace browser {

/// How the weights are stored: as they are trained, or in fewer bits.
enum class format : std::uint8_t { f32, int8, int4 };
inline constexpr std::size_t formats = 3;

/// Sizes of a model, all of them constants of its types.
struct figures {
  std::size_t parameters, layers, d_model, heads, context, batch;
  std::size_t image_bytes[formats];    ///< weights in each format, with an image's header
  std::size_t session_bytes[formats];  ///< what generating takes beside them
  std::size_t train_bytes;             ///< weights, gradients, optimizer's state and activations
  std::size_t run_bytes;               ///< everything that a run lays out, its text and the page's files apart
  std::size_t checkpoint_bytes;        ///< of a saved run
};

/// What the page asks for before a run begins.
struct settings {
  std::uint64_t seed = 1337;
  std::size_t steps = 1000;
  float lr = 2e-3f;
  float dropout = 0;
};

/// Refuses what a trainer could not compute with; a checkpoint that somebody else made may hold anything.
inline ctlm::result<void> check_settings(const settings& s) {
  constexpr std::size_t most_steps = 1'000'000;
  auto refuse = [](const char* name, const char* words) {
    return ctlm::failure{ctlm::errc::invalid_argument, words, 0, most_steps, 0, name};
  };
  if (s.steps < 1 || s.steps > most_steps) return refuse("steps", "{name} must be a number from 1 to {needed}");
  if (!(s.lr > 0 && s.lr <= 1)) return refuse("learning rate", "{name} must be above 0 and at most 1");
  if (!(s.dropout >= 0 && s.dropout < 1)) return refuse("dropout", "{name} must be at least 0 and below 1");
  return {};
}

struct point {
  std::uint32_t step;
  float loss;
};
inline constexpr std::size_t most_points = 1024;

/// What a checkpoint keeps beside the trainer's state, padding included.
struct run_state {
  std::uint64_t seed = 0, steps = 0, text = 0, text_bytes = 0;  ///< `text` is a checksum
  float lr = 0, dropout = 0;
  std::uint64_t drawn = 0;                    ///< sequences that were taken from the text
  std::uint64_t points = 0, validations = 0;  ///< of the curves
  point training[most_points] = {};           ///< every so many steps' loss
  point validation[most_points] = {};         ///< losses on the part of the text that is not trained on
};

/// Those that a checkpoint of `bytes` ends with, before anything is verified but their range: a run is made of them,
/// into which load_checkpoint can go.
inline ctlm::result<settings> saved_settings(ctlm::span<const std::byte> bytes) {
  run_state saved;
  if (bytes.size() < sizeof saved + 8) return ctlm::failure{ctlm::errc::truncated, "this checkpoint is cut off"};
  __builtin_memcpy(&saved, bytes.data() + (bytes.size() - sizeof saved - 8), sizeof saved);
  const settings s{saved.seed, static_cast<std::size_t>(saved.steps), saved.lr, saved.dropout};
  if (!check_settings(s) || saved.points > most_points || saved.validations > most_points)
    return ctlm::failure{ctlm::errc::corrupt, "this checkpoint is damaged, or not one of this page"};
  return s;
}

/// The shortest text that a run takes: its last tenth, which is for validation, must hold a sequence of every model.
inline constexpr std::size_t least_text = 2048;

using take_bytes = void (*)(const void* data, std::size_t n);
using take_token = void (*)(ctlm::token t);
using clock = double (*)();  // milliseconds

class run {
 public:
  virtual const run_state& state() const = 0;
  virtual std::size_t steps() const = 0;
  virtual ctlm::step_result step() = 0;
  /// Loss on the validation text, noted in the curve.
  virtual double validate() = 0;
  /// The same of the weights in a format, by a session.
  virtual double loss(format f) = 0;
  /// Milliseconds for decoding a whole context in a format.
  virtual double pace(format f, clock now) = 0;
  /// Goes on after the prompt, of which the end counts if it is long, for as many bytes as there is room for.
  virtual void complete(format f, ctlm::span<const char> prompt, const page_sampler& how, std::size_t count,
                        take_token take) = 0;
  virtual void save_image(format f, take_bytes put) = 0;
  virtual ctlm::result<void> save_checkpoint(take_bytes put) = 0;
  /// Before the first step: begins with the weights of an image in f32.
  virtual ctlm::result<void> load_image(ctlm::span<const std::byte> bytes) = 0;
  /// Goes on where a checkpoint was saved, with the settings that it was saved with. After a failure, this run is of no
  /// use.
  virtual ctlm::result<void> load_checkpoint(ctlm::span<const std::byte> bytes) = 0;

 protected:
  ~run() = default;
};

}  // namespace browser

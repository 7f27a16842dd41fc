// SPDX-License-Identifier: MIT
// ctlm: what a person sees of training: a progress line, in place on a terminal; and metrics as JSON lines.
#pragma once

#include "../train/trainer.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string>

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

namespace ctlm { inline namespace CTLM_ABI {

/// A line that says how far training is: step, smoothed loss, perplexity, rate, gradient norm, speed and the time left.
/// On a terminal it is written in place, elsewhere from time to time.
class progress_monitor {
 public:
  /// For total_steps steps of tokens_per_step tokens each, on `out`, which must outlive the monitor.
  progress_monitor(std::size_t total_steps, std::size_t tokens_per_step, std::FILE* out = stdout)
      : out_(out), terminal_(::isatty(::fileno(out)) != 0), total_(total_steps), tokens_per_step_(tokens_per_step) {}

  /// Once per step. Prints a few times a second on a terminal, and every `every`-th step elsewhere (0: the last alone).
  /// The loss and the perplexity shown are a running mean, in which steps that were skipped take no part.
  void step(const step_result& r, std::size_t every = 50) {
    const double now = seconds();
    if (counted_ == 0) start_ = now;  // the first step is slower than the others: it does not count
    ++counted_;
    if (!r.skipped) average(r.loss);
    const bool last = r.step + 1 == total_;
    if (!last && (terminal_ ? now - printed_ < 0.2 : every == 0 || r.step % every != 0)) return;
    printed_ = now;
    std::string text = line(r, now - start_, false);
    if (terminal_ && text.size() >= columns()) text = line(r, now - start_, true).substr(0, columns() - 1);
    std::fprintf(out_, "%s%s%s", terminal_ ? "\r" : "", text.c_str(),
                 terminal_ && !last ? "\033[K"
                 : terminal_        ? "\033[K\n"
                                    : "\n");
    std::fflush(out_);
  }
  /// The same of a trainer that scales its loss: the line ends with the scale.
  template <std::same_as<scaled_step_result> R>
  void step(const R& r, std::size_t every = 50) {
    loss_scale_ = r.loss_scale;
    step(static_cast<const step_result&>(r), every);
  }
  /// A line of its own between progress lines.
  void note(const std::string& text) {
    std::fprintf(out_, "%s%s\n", terminal_ ? "\r\033[K" : "", text.c_str());
    std::fflush(out_);
  }

  /// Mean speed since the end of the first step, which is slower than the others; 0 before there is one.
  double tokens_per_second() const {
    const double s = seconds() - start_;
    return counted_ > 1 && s > 0 ? static_cast<double>(counted_ - 1) * static_cast<double>(tokens_per_step_) / s : 0;
  }

 private:
  /// The time of a clock that only goes forward.
  static double seconds() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }

  void average(float loss) {
    smoothed_ = averaged_ ? 0.95f * smoothed_ + 0.05f * loss : loss;
    averaged_ = true;
  }

  /// Width of the terminal: a line that is rewritten in place must not be wider. Without a terminal, 1000.
  std::size_t columns() const {
    winsize size{};
    return ::ioctl(::fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 1000;
  }

  std::string line(const step_result& r, double elapsed, bool narrow) const {
    const double per_step = counted_ > 1 ? elapsed / static_cast<double>(counted_ - 1) : 0;
    const double rate = per_step > 0 ? static_cast<double>(tokens_per_step_) / per_step : 0;
    const std::size_t left = total_ > r.step ? total_ - r.step - 1 : 0;
    constexpr double longest = 1e9;  // seconds: thirty years, which every long can hold
    const auto eta = static_cast<long>(std::min(longest, per_step * static_cast<double>(left)));
    const double loss = static_cast<double>(smoothed_);
    char text[200];
    std::snprintf(
        text, sizeof text,
        narrow
            ? "%zu/%zu loss %.3f ppl %.1f lr %.1e |g| %.2f %.0f tok/s ETA %ld:%02ld"
            : "step %5zu/%zu  loss %.4f  perplexity %8.2f  lr %.2e  gradient norm %6.3f  %7.0f tokens/s  ETA %ld:%02ld",
        r.step + 1, total_, loss, math::exp(loss), static_cast<double>(r.lr), static_cast<double>(r.gradient_norm),
        rate, eta / 60, eta % 60);
    std::string result = text;
    if (loss_scale_ > 0) {
      std::snprintf(text, sizeof text, narrow ? " S %g" : "  loss scale %g", static_cast<double>(loss_scale_));
      result += text;
    }
    return result;
  }

  std::FILE* out_;
  bool terminal_;
  std::size_t total_;
  std::size_t tokens_per_step_;
  std::size_t counted_ = 0;
  float smoothed_ = std::numeric_limits<float>::quiet_NaN();  // of the steps so far that were not skipped
  bool averaged_ = false;                                     // is there one?
  float loss_scale_ = 0;                                      // of the last step; 0: losses are not scaled
  double start_ = 0;
  double printed_ = 0;
};

namespace monitor_detail {

/// A number of JSON, which has none for infinity and NaN: null.
inline std::string json_number(float value, int digits) {
  char text[80];
  if (!(value - value == 0.0f)) return "null";
  std::snprintf(text, sizeof text, "%.*f", digits, static_cast<double>(value));
  return text;
}

}  // namespace monitor_detail

/// One step's metrics as a line of JSON; what is not a finite number is null.
inline std::string to_json(const step_result& r) {
  using monitor_detail::json_number;
  return "{\"step\": " + std::to_string(r.step) + ", \"loss\": " + json_number(r.loss, 6) +
         ", \"gradient_norm\": " + json_number(r.gradient_norm, 6) + ", \"lr\": " + json_number(r.lr, 8) + "}\n";
}
/// The same of a trainer that scales its loss, with "loss_scale" and whether the step was skipped.
template <std::same_as<scaled_step_result> R>
std::string to_json(const R& r) {
  std::string line = to_json(static_cast<const step_result&>(r));
  char more[80];
  std::snprintf(more, sizeof more, ", \"loss_scale\": %.9g, \"skipped\": %s}\n", static_cast<double>(r.loss_scale),
                r.skipped ? "true" : "false");
  return line.replace(line.size() - 2, 2, more);
}

}}  // namespace ctlm

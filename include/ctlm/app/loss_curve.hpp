// SPDX-License-Identifier: MIT
// ctlm: the loss curve as a picture (SVG).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "../core/math.hpp"
#include "../core/types.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// A loss at a step of training.
struct loss_point {
  std::uint32_t step;  ///< the first is 0
  float loss;          ///< in nats per token
};

/// The losses of a training run, and their picture: training loss (each step, pale; smoothed, strong) and validation
/// loss (dots on a line). Losses that are no numbers are left out.
class loss_curve {
 public:
  std::vector<loss_point> training;    ///< of each step, in their order
  std::vector<loss_point> validation;  ///< of the steps after which there was one

  /// The picture as the text of an SVG file, 800 by 450. Any title is fine: it is escaped.
  std::string svg(const std::string& title) const {
    std::string s =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 450\" font-family=\"sans-serif\" "
        "font-size=\"13\">\n"
        "<rect width=\"800\" height=\"450\" fill=\"white\"/>\n";
    const frame f = measure();
    s += text(400, 26, "middle", "font-size=\"16\" font-weight=\"bold\"", escaped(title));
    grid(s, f);
    s += path(training, f, "#9ecae1", 1);
    s += path(smoothed(), f, "#1f77b4", 2.2);
    s += path(validation, f, "#d62728", 1.6);
    for (const loss_point& p : validation)
      if (math::isfinite(p.loss))
        s += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"#d62728\"/>\n", f.x(p), f.y(p));
    legend(s, 600, 70, "#1f77b4", "training loss");
    legend(s, 600, 92, "#d62728", "validation loss");
    return s + "</svg>\n";
  }

 private:
  static constexpr int most_ticks = 32;  // of an axis; tick() asks for fewer
  static constexpr double left = 70, right = 770, top = 45, bottom = 400;

  struct frame {
    double steps = 1, low = 0, high = 1;
    double x(const loss_point& p) const { return left + (right - left) * static_cast<double>(p.step) / steps; }
    double y(const loss_point& p) const { return y(static_cast<double>(p.loss)); }
    double y(double loss) const { return bottom - (bottom - top) * (loss - low) / (high - low); }
  };

  frame measure() const {
    frame f;
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const auto* points : {&training, &validation})
      for (const loss_point& p : *points) {
        if (!math::isfinite(p.loss)) continue;
        f.steps = std::max(f.steps, static_cast<double>(p.step));
        low = std::min(low, static_cast<double>(p.loss));
        high = std::max(high, static_cast<double>(p.loss));
      }
    if (low > high) return f;
    // Never so narrow that two ticks are the same number.
    const double margin = std::max(0.01, 1e-6 * std::max(math::abs(low), math::abs(high)));
    f.low = low - 0.08 * (high - low) - margin;
    if (low >= 0) f.low = std::max(0.0, f.low);
    f.high = high + 0.05 * (high - low) + margin;
    return f;
  }

  /// 1, 2 or 5 times a power of ten, about `count` of them in `range`.
  static double tick(double range, double count) {
    double power = 1;
    while (power < range / count / 10 && power < 1e300) power *= 10;
    while (power > range / count) power /= 10;
    const double lead = range / count / power;
    return (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10) * power;
  }

  static void grid(std::string& s, const frame& f) {
    const double dy = tick(f.high - f.low, 6), dx = tick(f.steps, 8);
    const double below = static_cast<double>(static_cast<long long>(f.low / dy));  // towards 0
    const double lowest = below * dy < f.low ? below + 1 : below;
    for (int i = 0; i < most_ticks && (lowest + i) * dy <= f.high; ++i) {
      const double v = (lowest + i) * dy;
      s += format("<path d=\"M%.0f %.1fH%.0f\" stroke=\"#e5e5e5\"/>\n", left, f.y(v), right);
      s += text(left - 8, f.y(v) + 4, "end", "fill=\"#444\"", format("%g", math::abs(v) < 1e-6 * dy ? 0 : v));
    }
    for (int i = 0; i < most_ticks && i * dx <= f.steps * 1.0001; ++i) {
      const double x = left + (right - left) * (i * dx) / f.steps;
      s += format("<path d=\"M%.1f %.0fv5\" stroke=\"#444\"/>\n", x, bottom);
      s += text(x, bottom + 20, "middle", "fill=\"#444\"", format("%g", i * dx));
    }
    s += format("<path d=\"M%.0f %.0fV%.0fH%.0f\" fill=\"none\" stroke=\"#444\"/>\n", left, top, bottom, right);
    s += text((left + right) / 2, bottom + 42, "middle", "fill=\"#444\"", "step");
    s += format(
        "<text x=\"22\" y=\"%.0f\" text-anchor=\"middle\" fill=\"#444\" transform=\"rotate(-90 22 %.0f)\">loss"
        " (nats per token)</text>\n",
        (top + bottom) / 2, (top + bottom) / 2);
  }

  /// The mean of a window centred on each point, narrower where the curve begins and one-sided where it ends.
  std::vector<loss_point> smoothed() const {
    std::vector<loss_point> s;
    std::vector<double> sums{0};
    for (const loss_point& p : training)
      if (math::isfinite(p.loss)) {
        s.push_back(p);
        sums.push_back(sums.back() + static_cast<double>(p.loss));
      }
    const std::size_t n = s.size(), widest = n / 40;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t before = std::min(widest, i), after = std::min(before, n - 1 - i);
      const double mean = (sums[i + after + 1] - sums[i - before]) / static_cast<double>(before + after + 1);
      constexpr double most = std::numeric_limits<float>::max();
      s[i].loss = static_cast<float>(std::clamp(mean, -most, most));
    }
    return s;
  }
  static std::string path(const std::vector<loss_point>& points, const frame& f, const char* colour, double width) {
    std::string d;
    for (const loss_point& p : points)
      if (math::isfinite(p.loss)) d += format("%c%.1f %.1f", d.empty() ? 'M' : 'L', f.x(p), f.y(p));
    return "<path d=\"" + d + "\" fill=\"none\" stroke=\"" + colour + format("\" stroke-width=\"%.1f\"/>\n", width);
  }
  static void legend(std::string& s, double x, double y, const char* colour, const char* label) {
    s += format("<path d=\"M%.0f %.0fh24\" stroke=\"", x, y) + colour + "\" stroke-width=\"2.5\"/>\n";
    s += text(x + 32, y + 4, "start", "fill=\"#222\"", label);
  }
  static std::string text(double x, double y, const char* anchor, const char* style, const std::string& content) {
    return format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"", x, y) + anchor + "\" " + style + ">" + content +
           "</text>\n";
  }
  static std::string escaped(const std::string& s) {
    std::string out;
    for (char c : s)  // control characters are not allowed in a picture
      out += static_cast<unsigned char>(c) < 32 ? " "
             : c == '<'                         ? "&lt;"
             : c == '>'                         ? "&gt;"
             : c == '&'                         ? "&amp;"
                                                : std::string(1, c);
    return out;
  }
  template <class... T>
  static std::string format(const char* pattern, T... values) {
    char buffer[256];
    std::snprintf(buffer, sizeof buffer, pattern, values...);
    return buffer;
  }
};

}}  // namespace ctlm

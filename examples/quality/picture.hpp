// The rows of the table of examples/quality, and their picture: what a format adds to the loss, over its bytes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace examples {

/// What one form of a model costs.
struct measured_format {
  std::string name;
  std::size_t bytes = 0;
  double bits = 0;              ///< per weight
  double loss = 0;              ///< mean negative log likelihood
  double added = 0, error = 0;  ///< to the loss of single precision, and its standard error
  double divergence = 0;        ///< mean Kullback-Leibler divergence from single precision, in nats
  double same_first = 0;        ///< tokens of which both think the same most likely, in percent
  double tokens_per_second = 0;
  double seconds = 0;  ///< that rounding took

  static void print_head() {
    std::printf("%-28s%13s%7s%9s%9s%19s%9s%8s%10s%9s\n", "weights", "bytes", "bits", "perpl.", "loss", "added", "KL",
                "top 1", "tokens/s", "seconds");
  }
  void print() const {
    std::printf("%-28s%13zu%7.2f%9.3f%9.4f%+10.4f +-%6.4f%9.4f%7.1f%%%10.1f%9.1f\n", name.c_str(), bytes, bits,
                std::exp(loss), loss, added, error, divergence, same_first, tokens_per_second, seconds);
    std::fflush(stdout);
  }
};

/// SVG, 800 by 450: a dot for each row whose loss is measurably more than that of single precision, and the line of
/// those that no smaller one beats. Both axes are logarithmic.
inline std::string picture(std::vector<measured_format> rows) {
  std::erase_if(rows, [](const measured_format& r) { return !(r.added > 1e-4) || !std::isfinite(r.added); });
  std::string s =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 450\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"800\" height=\"450\" fill=\"white\"/>\n"
      "<text x=\"400\" y=\"438\" text-anchor=\"middle\">bytes of weights</text>\n"
      "<text x=\"16\" y=\"220\" text-anchor=\"middle\" transform=\"rotate(-90 16 220)\">added loss</text>\n";
  if (rows.empty()) return s + "</svg>\n";
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
  const auto [low, high] =
      std::minmax_element(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.added < b.added; });
  const double left = std::log(static_cast<double>(rows.front().bytes)) - 0.05;
  const double right = std::log(static_cast<double>(rows.back().bytes)) + 0.35;
  const double bottom = std::floor(std::log10(low->added)), top = std::ceil(std::log10(high->added) + 1e-9);
  const auto x = [&](double bytes) { return 70 + 700 * (std::log(bytes) - left) / (right - left); };
  const auto y = [&](double added) { return 400 - 360 * (std::log10(added) - bottom) / (top - bottom); };
  char line[512];
  for (double decade = bottom; decade <= top; ++decade) {
    const double at = y(std::pow(10, decade));
    std::snprintf(line, sizeof line,
                  "<line x1=\"70\" x2=\"770\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"64\" y=\"%.1f\" "
                  "text-anchor=\"end\">%g</text>\n",
                  at, at, at + 4, std::pow(10, decade));
    s += line;
  }
  std::string front;
  double least = high->added * 2;
  for (const auto& r : rows) {
    const bool best = r.added < least;
    const double at_x = x(static_cast<double>(r.bytes)), at_y = y(r.added);
    std::string name = r.name;
    for (std::size_t i; (i = name.find('<')) != name.npos;) name.replace(i, 1, "&lt;");
    std::snprintf(
        line, sizeof line,
        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/><text x=\"%.1f\" y=\"%.1f\">%s, %.1f MB</text>\n", at_x,
        at_y, best ? "#1f77b4" : "#bbb", at_x + 7, at_y + 4, name.c_str(), static_cast<double>(r.bytes) / 1e6);
    s += line;
    if (!best) continue;
    least = r.added;
    std::snprintf(line, sizeof line, "%s%.1f,%.1f", front.empty() ? "" : " ", at_x, at_y);
    front += line;
  }
  return s + "<polyline points=\"" + front + "\" fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"1.5\"/>\n</svg>\n";
}

}  // namespace examples

// What each schedule makes of a learning rate: a picture of all of them, as ctlm computes them.
//
//   schedules [PICTURE]     writes an SVG (default: schedules.svg)
#include <ctlm/ctlm.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace {

constexpr std::size_t steps = 1000;
constexpr double lr = 1;

/// A schedule's name and its rate at each step.
struct curve {
  std::string name;
  std::vector<double> rates;
};
template <class S>
curve of(const std::string& name, const typename S::options& o) {
  curve c{name, {}};
  for (std::size_t s = 0; s <= steps; ++s) c.rates.push_back(S::rate(o, lr, s));
  return c;
}

std::vector<curve> all() {
  using namespace ctlm;
  return {of<constant_rate>("constant_rate", {}),
          of<linear_rate>("linear_rate", {.total = 800, .end = 0.1f}),
          of<exponential_rate>("exponential_rate", {.gamma = 0.997f}),
          of<step_rate>("step_rate", {.every = 250, .gamma = 0.5f}),
          of<warmup_cosine>("warmup_cosine", {.warmup = 100, .total = 900, .min_lr = 0.1f}),
          of<cosine_restarts>("cosine_restarts", {.period = 140, .longer = 2}),
          of<warmed<stable_decay>>("warmed<stable_decay>", {.warmup = 100, .then = {.stable = 600, .decay = 250}}),
          of<warmed<inverse_sqrt>>("warmed<inverse_sqrt>", {.warmup = 100, .then = {.timescale = 100}})};
}

/// SVG: two rows of four small pictures, the rate over the steps.
std::string picture(const std::vector<curve>& curves) {
  constexpr double width = 190, height = 110, left = 10, top = 32, across = 200, down = 165;
  std::string s =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 810 335\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"810\" height=\"335\" fill=\"white\"/>\n";
  char line[200];
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const double x = left + across * static_cast<double>(i % 4), y = top + down * static_cast<double>(i / 4);
    std::string name;
    for (char c : curves[i].name) name += c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
    std::snprintf(line, sizeof line, "<text x=\"%.0f\" y=\"%.0f\" fill=\"#222\">", x, y - 8);
    s += line + name + "</text>\n";
    std::snprintf(line, sizeof line, "<path d=\"M%.0f %.0fv%.0fh%.0f\" fill=\"none\" stroke=\"#444\"/>\n", x, y, height,
                  width);
    s += line;
    for (std::size_t t = 0; t < curves[i].rates.size(); t += 4) {
      std::snprintf(line, sizeof line, "%s%.1f %.1f", t == 0 ? "<path d=\"M" : "L",
                    x + width * static_cast<double>(t) / static_cast<double>(steps),
                    y + height * (1 - 0.95 * curves[i].rates[t]));
      s += line;
    }
    s += "\" fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"2\"/>\n";
  }
  return s + "</svg>\n";
}

}  // namespace

int main(int argc, char** argv) {
  const char* const path = argc > 1 ? argv[1] : "schedules.svg";
  const auto curves = all();
  for (const curve& c : curves)
    std::printf("%-22s first %.3f  half-way %.3f  last %.3f\n", c.name.c_str(), c.rates.front(), c.rates[steps / 2],
                c.rates.back());
  std::FILE* const file = std::fopen(path, "w");
  if (file == nullptr) {
    std::fprintf(stderr, "schedules: %s cannot be written\n", path);
    return 1;
  }
  const std::string text = picture(curves);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written ? 0 : 1;
}

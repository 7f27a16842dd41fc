// The larger of two deviations, or the one that is not a number: std::fmax would forget it, and a test would pass.
#pragma once

inline double worse(double a, double b) { return a != a || b <= a ? a : b; }

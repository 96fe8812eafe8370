// Quintic Hermite interpolation of functions of the distance; sakeff/fast/table.py describes the table.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sakeff {

// The basis functions and their derivatives (with respect to the distance) at one point of one interval: slope and
// curvature on the left, the step in value, slope and curvature on the right.
template <typename scalar>
struct HermiteWeights {
  int64_t interval;
  scalar value[5];
  scalar slope[5];

  HermiteWeights(scalar distance, scalar spacing, int64_t n_intervals) {
    const scalar x = distance / spacing;
    // NaN goes to the last interval, and stays NaN in t.
    interval = x < static_cast<scalar>(n_intervals) ? static_cast<int64_t>(x) : n_intervals - 1;
    const scalar t = std::min(x - static_cast<scalar>(interval), scalar(1));
    const scalar t2 = t * t, t3 = t2 * t, t4 = t3 * t, t5 = t4 * t;
    value[0] = t - 6 * t3 + 8 * t4 - 3 * t5;
    value[1] = scalar(0.5) * t2 - scalar(1.5) * t3 + scalar(1.5) * t4 - scalar(0.5) * t5;
    value[2] = 10 * t3 - 15 * t4 + 6 * t5;
    value[3] = -4 * t3 + 7 * t4 - 3 * t5;
    value[4] = scalar(0.5) * t3 - t4 + scalar(0.5) * t5;
    const scalar per_length = 1 / spacing;
    slope[0] = per_length * (1 - 18 * t2 + 32 * t3 - 15 * t4);
    slope[1] = per_length * (t - scalar(4.5) * t2 + 6 * t3 - scalar(2.5) * t4);
    slope[2] = per_length * (30 * t2 - 60 * t3 + 30 * t4);
    slope[3] = per_length * (-12 * t2 + 28 * t3 - 15 * t4);
    slope[4] = per_length * (scalar(1.5) * t2 - 4 * t3 + scalar(2.5) * t4);
  }
};

}  // namespace sakeff
